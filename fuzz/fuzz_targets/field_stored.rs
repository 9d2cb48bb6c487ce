//! What comes back from storage beside sealed values: never panics, and an accepted value is its own form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_field_crypto::{Approx, Unique, IndexTag, LastN, columns, postgres::Tombstone};

columns! {
    pub Email = "staff"."email": String, index EmailIndex = "email_index": LastN<254> => Unique;
    pub Phone = "staff"."phone": String, index PhoneIndex = "phone_index": LastN<4> => Approx<12>;
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(tag) = IndexTag::<EmailIndex>::from_bytes(bytes) {
        assert_eq!(tag.as_bytes(), bytes);
    }
    if let Some(tag) = IndexTag::<PhoneIndex>::from_bytes(bytes) {
        assert_eq!(tag.as_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(tombstone) = text.parse::<Tombstone>() {
        assert_eq!(tombstone.to_string().parse::<Tombstone>().expect("what was written can be read"), tombstone);
    }
});
