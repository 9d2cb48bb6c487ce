use stockade_session::{Fresh, Session};

fn forge(session: Session) -> Fresh {
    Fresh(session)
}

fn main() {
    let _ = forge;
}
