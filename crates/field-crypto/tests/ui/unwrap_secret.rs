//! The content of a secret is not taken out by accident.
use stockade_field_crypto::{Secret};

fn take(ssn: Secret<String>) -> String {
    let Secret(content) = ssn;
    content
}

fn main() {}
