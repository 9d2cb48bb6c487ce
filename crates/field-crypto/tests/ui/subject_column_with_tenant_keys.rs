//! A column of subjects is not sealed under the tenant's key.
use stockade_field_crypto::{Sealed, Secret, TenantKeys, columns};
use uuid::Uuid;

columns! {
    Diagnosis = "patients"."diagnosis": String, row = Uuid, subject;
}

fn seal(keys: &TenantKeys, row: &Uuid, text: &Secret<String>) -> Sealed<Diagnosis> {
    keys.seal::<Diagnosis>(row, text).unwrap()
}

fn main() {}
