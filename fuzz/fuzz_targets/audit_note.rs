//! Signed notes, checkpoints and verifier keys: never panics, and what is read is what would be written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_audit_chain::{Checkpoint, Note, VerifierKey};

fuzz_target!(|text: &str| {
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text, "an accepted note is its own text");
        if let Ok(checkpoint) = Checkpoint::read(&note) {
            assert_eq!(checkpoint.to_note().unwrap().text(), note.text());
        }
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text, "an accepted key is its own text");
    }
});
