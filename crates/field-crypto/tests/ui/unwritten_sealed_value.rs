//! A sealed value cannot be made up.
use stockade_field_crypto::{Sealed};

stockade_field_crypto::columns! { DriverSsn = "drivers"."ssn": String; }

fn forge(bytes: Vec<u8>) -> Sealed<DriverSsn> {
    Sealed { bytes }
}

fn main() {}
