//! The index of a tenant is not searched for all tenants at once.
use stockade_field_crypto::{GlobalIndexKeys, LowerTrim, Secret, columns};

columns! {
    pub Email = "users"."email": String, row = uuid::Uuid,
        index EmailIndex = "email_index": LowerTrim;
}

fn search(keys: &GlobalIndexKeys, email: &Secret<String>) {
    let _ = keys.search::<EmailIndex>(email);
}

fn main() {}
