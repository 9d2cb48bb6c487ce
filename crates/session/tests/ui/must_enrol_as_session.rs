use stockade_session::{Access, Session};

fn admit(access: Access) -> Option<Session> {
    match access {
        Access::Granted(session) => Some(session),
        Access::MustEnrol(session) => Some(session),
        Access::Denied => None,
    }
}

fn main() {
    let _ = admit;
}
