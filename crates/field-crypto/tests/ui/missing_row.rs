//! No value is sealed without a row.
use stockade_field_crypto::{Error, Sealed, Secret, TenantKeys, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn seal(keys: &TenantKeys, ssn: &Secret<String>) -> Result<Sealed<DriverSsn>, Error> {
    keys.seal(ssn)
}

fn main() {}
