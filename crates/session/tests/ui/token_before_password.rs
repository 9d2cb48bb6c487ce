use stockade_session::{Flow, Identified, PendingToken};

fn early(flow: &Flow<Identified>) -> PendingToken {
    flow.token()
}

fn main() {}
