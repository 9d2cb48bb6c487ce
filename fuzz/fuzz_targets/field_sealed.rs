//! Sealed values as bytes and as text: never panics, and each accepted value has exactly one form of each kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_field_crypto::{Sealed, columns};

columns! {
    pub Note = "notes"."body": String;
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(sealed) = Sealed::<Note>::from_bytes(bytes.to_vec()) {
        assert_eq!(sealed.as_bytes(), bytes);
        let text = sealed.to_text();
        let again = Sealed::<Note>::from_text(&text).expect("its own text form");
        assert_eq!(again.as_bytes(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(sealed) = Sealed::<Note>::from_text(text)
    {
        assert_eq!(sealed.to_text(), text, "an accepted text is the only one of its value");
        // The header is what it says.
        assert_eq!(sealed.key_id().as_u32().to_be_bytes(), sealed.as_bytes()[1..5]);
    }
});
