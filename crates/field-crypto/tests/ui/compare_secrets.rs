//! Secrets are not compared, which would tell how far they agree.
use stockade_field_crypto::{Secret};

fn same(a: &Secret<String>, b: &Secret<String>) -> bool {
    a == b
}

fn main() {}
