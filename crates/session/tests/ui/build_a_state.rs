use stockade_session::FullyVerified;

fn forge(template: FullyVerified) -> FullyVerified {
    FullyVerified { ..template }
}

fn main() {
    let _ = forge;
}
