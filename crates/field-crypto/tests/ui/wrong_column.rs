//! A value of one column is not one of another.
use stockade_field_crypto::{Secret, TenantKeys, Sealed, OpenError, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn reveal(keys: &TenantKeys, row: &Uuid, account: Sealed<BankAccount>) -> Result<Secret<String>, OpenError> {
    let ssn: Sealed<DriverSsn> = account;
    keys.open::<DriverSsn>(row, &ssn)
}

fn main() {}
