//! A row is named by a type that says how it is bound.
use stockade_field_crypto::columns;

columns! {
    DriverSsn = "drivers"."ssn": String, row = f64;
}

fn main() {}
