//! A column has one type of plain text.
use stockade_field_crypto::{Error, Sealed, Secret, TenantKeys, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn seal(keys: &TenantKeys, row: &Uuid, ssn: &Secret<Vec<u8>>) -> Result<Sealed<DriverSsn>, Error> {
    keys.seal(row, ssn)
}

fn main() {}
