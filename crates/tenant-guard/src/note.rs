//! What triggers of an audit log are told of a transaction.

use std::fmt;
use std::sync::Arc;

/// The text of the setting `stockade.audit_context`: who makes the changes of a transaction and in which request, as JSON. For
/// [`TenantDb::telling`](crate::TenantDb::telling); stockade-audit-chain's `capture_context` writes it.
///
/// At most 16,384 characters of printable ASCII without `$`: it travels in one message with `BEGIN`, between two `$audit$`, where nothing
/// but a `$` could end it, whatever the server takes a backslash or a quote for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AuditContext(Arc<str>);

/// The text is too long for an [`AuditContext`], or holds a character that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an audit context is at most {} characters of printable ascii without `$`", AuditContext::MAX_LENGTH)]
pub struct InvalidAuditContext;

impl AuditContext {
    /// The longest text, in characters.
    pub const MAX_LENGTH: usize = 16_384;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for AuditContext {
    type Error = InvalidAuditContext;

    fn try_from(text: &str) -> Result<Self, InvalidAuditContext> {
        let safe = text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'$');
        if safe && text.len() <= Self::MAX_LENGTH { Ok(Self(Arc::from(text))) } else { Err(InvalidAuditContext) }
    }
}

impl fmt::Debug for AuditContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditContext(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_end_the_literal_is_an_audit_context() {
        for text in ["", "{}", r#"{"id":"a\\'b","name":"\u00e9"}"#] {
            assert_eq!(AuditContext::try_from(text).unwrap().as_str(), text);
        }
        let long = "a".repeat(AuditContext::MAX_LENGTH + 1);
        for text in ["$", "$audit$; DROP TABLE t", "é", "\n", "\0", "\u{7f}", "\u{ff04}", &long] {
            assert_eq!(AuditContext::try_from(text), Err(InvalidAuditContext), "{}", text.len());
        }
    }
}
