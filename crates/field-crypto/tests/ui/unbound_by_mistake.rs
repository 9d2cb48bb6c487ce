//! A column that is bound to its row cannot be used without one.
use stockade_field_crypto::{Error, Sealed, Secret, TenantKeys, Unbound, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn seal(keys: &TenantKeys, ssn: &Secret<String>) -> Result<Sealed<DriverSsn>, Error> {
    keys.seal(&Unbound, ssn)
}

fn main() {}
