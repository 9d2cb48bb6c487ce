//! What travels in a message with `BEGIN`: nothing that is accepted could end the literal it stands in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_tenant_guard::{AuditContext, Scopes};

fuzz_target!(|text: &str| {
    if let Ok(scopes) = Scopes::try_from(text) {
        assert_eq!(scopes.as_str(), text);
        assert!(!text.contains(|c: char| !c.is_ascii() || c.is_ascii_control() || "'\\\"$; ".contains(c)));
    }
    if AuditContext::try_from(text).is_ok() {
        assert!(!text.contains(|c: char| !c.is_ascii() || c.is_ascii_control() || c == '$'));
    }
});
