//! The short texts of a log: never panics, what only `Display` writes has one form, and a cursor comes back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_audit_chain::{
    Digest, Head,
    postgres::{Cursor, Progress},
};

fuzz_target!(|text: &str| {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(head) = text.parse::<Head>() {
        assert_eq!(head.to_string(), text);
    }
    if let Ok(progress) = text.parse::<Progress>() {
        assert_eq!(progress.to_string(), text);
    }
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse::<Cursor>().expect("what was written can be read"), cursor);
    }
});
