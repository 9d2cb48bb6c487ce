//! A permit is gone once it has been refunded.

fn main() {
    let twice = |permit: stockade_ratelimit::Permit| {
        permit.refund();
        permit.refund();
    };
    let copied = |permit: &stockade_ratelimit::Permit| permit.clone().refund();
    let _ = (twice, copied);
}
