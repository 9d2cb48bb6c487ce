//! The reader of a snapshot: never panics, answers in one line, and writes what it reads so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_posture::history::Snapshot;

fuzz_target!(|text: &str| {
    match text.parse::<Snapshot>() {
        // Another version of the catalogue may have had controls that this one has not.
        Ok(snapshot) => {
            assert_eq!(snapshot.to_string().parse::<Snapshot>().expect("what was written can be read"), snapshot)
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
