//! The text of a keyring: never panics, and an error never repeats what may be a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_field_crypto::LocalKeyring;

fuzz_target!(|text: &str| {
    if let Err(error) = LocalKeyring::parse(text) {
        let message = error.to_string();
        assert!(!message.contains('\n'), "one line");
        // No word of a message is this long; a key is longer.
        let words = text.split(|c: char| c == ',' || c == ':' || c.is_whitespace());
        for part in words.filter(|word| word.len() >= 20) {
            assert!(!message.contains(part), "the error repeats its input");
        }
    }
});
