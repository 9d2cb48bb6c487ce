//! A secret is not copied.
use stockade_field_crypto::{Secret};

fn copy(ssn: &Secret<String>) -> Secret<String> {
    ssn.clone()
}

fn main() {}
