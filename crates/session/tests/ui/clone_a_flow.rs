use stockade_session::{Flow, FullyVerified};

fn copy(flow: &Flow<FullyVerified>) -> Flow<FullyVerified> {
    Flow::clone(flow)
}

fn main() {}
