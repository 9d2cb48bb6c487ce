//! A plain text that is not a secret is not sealed.
use stockade_field_crypto::{Error, Sealed, TenantKeys, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn seal(keys: &TenantKeys, row: &Uuid, ssn: &String) -> Result<Sealed<DriverSsn>, Error> {
    keys.seal(row, ssn)
}

fn main() {}
