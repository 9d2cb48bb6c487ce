//! The decoder of audit envelopes: never panics, and accepts exactly one encoding of each envelope.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_audit_chain::Envelope;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::decode(bytes) {
        assert_eq!(envelope.encode(), bytes, "an accepted envelope is its own encoding");
        let mut last = None;
        for (tag, _) in envelope.fields() {
            assert!(last < Some(tag), "tags ascend");
            last = Some(tag);
        }
    }
});
