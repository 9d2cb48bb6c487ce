use stockade_session::{Impersonation, Session};

fn build(session: Session, other: Impersonation) -> Impersonation {
    Impersonation { target: session.user, ..other }
}

fn main() {}
