//! Bundles: never panics, whatever the file, and whoever trusts nothing is never told that a file is intact.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_audit_chain::BundleVerifier;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(report) = BundleVerifier::new().verify(bytes) {
        assert!(!report.is_intact() && !report.is_complete());
    }
});
