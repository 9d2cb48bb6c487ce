//! A key is not copied.
use stockade_field_crypto::{DataKey};

fn copy(key: &DataKey) -> DataKey {
    DataKey::clone(key)
}

fn main() {}
