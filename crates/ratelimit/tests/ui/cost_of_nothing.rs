//! Zero is not a cost.

fn main() {
    let _ = stockade_ratelimit::Cost::new(0);
}
