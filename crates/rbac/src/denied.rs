//! A refusal that can be passed on.

use crate::decision::{Decision, Refusal, Verdict};
use crate::permission::Permission;

/// The refusal of [`Actor::require`](crate::Actor::require) or of an impersonation.
///
/// Its message is for the person who asked and names nothing but the permission. What the roles have to do with it is in
/// [`explanation`](Self::explanation), for logs and administrators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not permitted: `{permission}`")]
pub struct Denied {
    permission: &'static str,
    refusal: Refusal,
    explanation: Box<str>,
}

impl Denied {
    pub(crate) fn by<P: Permission>(decision: &Decision<'_, P>) -> Self {
        let refusal = match decision.verdict() {
            Verdict::Denied(refusal) => refusal,
            Verdict::Allowed { .. } => Refusal::NotGranted,
        };
        Self { permission: decision.permission().key(), refusal, explanation: decision.to_string().into() }
    }

    pub(crate) fn impersonation<P: Permission>(permission: P, refusal: Refusal) -> Self {
        let why = if refusal == Refusal::NotStaff { "only staff impersonate" } else { "staff are not impersonated" };
        Self { permission: permission.key(), refusal, explanation: format!("denied: {why}").into() }
    }

    /// The key of the permission.
    #[must_use]
    pub const fn permission(&self) -> &'static str {
        self.permission
    }

    /// Why, for code that reacts to it: [`Refusal::SecondFactor`] calls for one, [`Refusal::Expired`] for a fresh actor.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Why, in a line that names roles.
    #[must_use]
    pub fn explanation(&self) -> &str {
        &self.explanation
    }
}
