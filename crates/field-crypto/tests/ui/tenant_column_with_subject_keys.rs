//! A column of the tenant is not sealed under a subject's key.
use stockade_field_crypto::{Sealed, Secret, SubjectKeys, columns};
use uuid::Uuid;

columns! {
    BankAccount = "drivers"."bank_account": String, row = Uuid;
}

fn seal(keys: &SubjectKeys, row: &Uuid, text: &Secret<String>) -> Sealed<BankAccount> {
    keys.seal::<BankAccount>(row, text).unwrap()
}

fn main() {}
