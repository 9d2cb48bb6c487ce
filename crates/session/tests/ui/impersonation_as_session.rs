use stockade_session::{Caller, Session};

fn write(_: Session) {}

fn handler(caller: Caller) {
    match caller {
        Caller::Own(session) => write(session),
        Caller::Impersonating(impersonation) => write(impersonation),
        Caller::Over(_) => {}
    }
}

fn main() {}
