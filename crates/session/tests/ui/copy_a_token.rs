use stockade_session::{Issued, SessionToken};

fn copy(issued: &Issued) -> SessionToken {
    issued.token().clone()
}

fn main() {}
