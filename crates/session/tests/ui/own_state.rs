use stockade_session::State;

struct Skipped;

impl State for Skipped {}

fn main() {}
