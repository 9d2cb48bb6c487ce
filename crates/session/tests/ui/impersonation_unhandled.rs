use stockade_session::{Caller, Session};

fn handler(caller: Caller) -> Session {
    match caller {
        Caller::Own(session) | Caller::Over(session) => session,
    }
}

fn main() {}
