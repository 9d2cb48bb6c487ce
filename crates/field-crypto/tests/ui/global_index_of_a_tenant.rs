//! A global index has no tenant, so a tenant's keys do not make its tags.
use stockade_field_crypto::{Global, LowerTrim, Secret, TenantKeys, columns};

columns! {
    pub Email = "users"."email": String, row = uuid::Uuid,
        index EmailAnywhere = "email_index": LowerTrim => Global;
}

fn tag(keys: &TenantKeys, email: &Secret<String>) {
    let _ = keys.index::<EmailAnywhere>(email);
}

fn main() {}
