//! The reader of a declaration: never panics, answers in one line, and writes what it reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_rls_migrations::Schema;

fuzz_target!(|text: &str| {
    match Schema::from_toml(text) {
        Ok(schema) => {
            let written = schema.to_toml().expect("what was read can be written");
            assert_eq!(Schema::from_toml(&written).expect("what was written can be read"), schema);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
