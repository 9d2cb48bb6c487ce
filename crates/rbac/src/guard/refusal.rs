//! The rule that stands against a change.

use crate::denied::Denied;
use crate::scope::Scope;

/// Why a [`GrantGuard`](crate::GrantGuard) refuses a change. Closed: whoever shows it handles every rule.
///
/// The text is for the person who asked; it names permissions and separations, and no person and no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    /// The granter lacks the permission to grant, or it does not reach the target. An authority that has expired, a missing
    /// second factor and a denial are here too: see [`Denied::refusal`].
    #[error(transparent)]
    NotPermitted(Denied),
    /// The granter is limited by a token. Tokens do not give.
    #[error("a token cannot change what people may do")]
    Token,
    /// The change would add to the granter's own authority.
    #[error("nobody changes their own authority but to give it up")]
    OwnPromotion,
    /// The granter does not have what is to be given. The first such permission in the order of the vocabulary.
    #[error("`{permission}` at {granted} is more than the granter has, which is {held}")]
    Lacks {
        /// The key of the permission.
        permission: &'static str,
        /// The scope that is to be given; for a share, that the row needs.
        granted: Scope,
        /// The scope that the granter has.
        held: Scope,
    },
    /// The granter has it in the own teams or offices, and the target belongs to others, where it would reach too.
    #[error("`{permission}` at {granted} would reach teams or offices that the granter is not in")]
    Elsewhere {
        /// The key of the permission.
        permission: &'static str,
        /// The scope that is to be given.
        granted: Scope,
        /// The scope that the granter has.
        held: Scope,
    },
    /// The target has something that the granter does not have, or has it where the granter does not. The first such permission
    /// in the order of the vocabulary; roles and allowances count, whatever else is denied to the target at present.
    #[error("the person has `{permission}` at {has}, which is above the granter")]
    TargetAbove {
        /// The key of the permission.
        permission: &'static str,
        /// The scope that the target has.
        has: Scope,
        /// The scope that the granter has.
        held: Scope,
    },
    /// A staff role, or somebody who has one, is for staff alone.
    #[error("only staff change who is staff")]
    StaffOnly,
    /// An owner's role, or somebody who has one, is for owners alone.
    #[error("only an owner changes who is an owner")]
    OwnerOnly,
    /// The tenant would be left without an owner, or its last owner without a permission.
    #[error("the last owner cannot go")]
    LastOwner,
    /// The policy has no such role, or it is only inherited.
    #[error("there is no such role to give")]
    NotAssignable,
    /// No role of the granter lists it under `assigns`.
    #[error("this role is not the granter's to give")]
    NotAssigned,
    /// Together with what the target holds it is what the policy keeps apart (static separation of duty).
    #[error("separation `{name}` keeps this apart from what the person holds")]
    Separation {
        /// The name of the separation.
        name: String,
    },
    /// What it takes was delegated to the granter, and is not passed on.
    #[error("`{permission}` was delegated to the granter, and is not passed on")]
    Delegated {
        /// The key of the permission.
        permission: &'static str,
    },
}
