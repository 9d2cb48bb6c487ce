//! A secret is not serialised.
use stockade_field_crypto::{Secret};

fn respond(ssn: Secret<String>) -> impl serde::Serialize {
    ssn
}

fn main() {}
