//! A tag of one index does not search another.
use stockade_field_crypto::{DigitsOnly, Error, IndexTag, Secret, TenantKeys, columns};
use uuid::Uuid;

columns! {
    DriverSsn = "drivers"."ssn": String, row = Uuid,
        index DriverSsnIndex = "ssn_index": DigitsOnly;
    BankAccount = "drivers"."bank_account": String, row = Uuid,
        index BankAccountIndex = "bank_account_index": DigitsOnly;
}

fn search(keys: &TenantKeys, ssn: &Secret<String>) -> Result<Vec<IndexTag<BankAccountIndex>>, Error> {
    keys.probe::<DriverSsnIndex>(ssn)
}

fn main() {}
