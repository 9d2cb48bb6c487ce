//! A row is named by the type that the column is bound to.
use stockade_field_crypto::{Error, Sealed, Secret, TenantKeys, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn seal(keys: &TenantKeys, ssn: &Secret<String>) -> Result<Sealed<DriverSsn>, Error> {
    keys.seal(&42_i64, ssn)
}

fn main() {}
