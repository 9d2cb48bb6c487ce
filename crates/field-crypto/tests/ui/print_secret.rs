//! A secret is not printed.
use stockade_field_crypto::{Secret};

fn log(ssn: &Secret<String>) {
    println!("{ssn}");
}

fn main() {}
