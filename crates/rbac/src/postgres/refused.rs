//! Why a change was not made.

use crate::error::Error;
use crate::guard::GrantRefusal;

/// Why a change of members, roles, exceptions, shares or invitations was refused. Nothing was written then.
///
/// Closed, as a decision is: whoever shows it handles every case. The text is for the person who asked and names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A rule of the grant guard, by what granter and target have at this moment.
    #[error(transparent)]
    Guard(#[from] GrantRefusal),
    /// The tenant has no members: it has to be founded.
    #[error("the tenant has no members yet")]
    NotFounded,
    /// The tenant has been founded already.
    #[error("the tenant has members already")]
    Founded,
    /// Who asks is not an active member of the transaction's tenant, or not any more.
    #[error("only an active member changes what members may do")]
    GranterNotActive,
    /// The target is not a member.
    #[error("there is no such member")]
    NoSuchMember,
    /// The target is a member, suspended or not.
    #[error("this person is a member already")]
    AlreadyMember,
    /// The target has this role or exception, and it has not expired. To change it, take it away first: that is a change of its own,
    /// with its own rules.
    #[error("the person has this already")]
    AlreadyHeld,
    /// The target does not have what is to be taken, or is as it is to be.
    #[error("there is nothing to change")]
    NothingToChange,
    /// An end that is not in the future, by the clock of the database.
    #[error("the end is not in the future")]
    EndsInThePast,
    /// The tenant has no such invitation.
    #[error("there is no such invitation")]
    NoSuchInvitation,
    /// The invitation was accepted before.
    #[error("the invitation has been used")]
    InvitationUsed,
    /// The invitation was withdrawn.
    #[error("the invitation was withdrawn")]
    InvitationWithdrawn,
    /// The invitation has ended.
    #[error("the invitation has expired")]
    InvitationExpired,
    /// The invitation is for another address.
    #[error("the invitation is for another address")]
    OtherAddress,
    /// There is no such share of this row.
    #[error("there is no such share")]
    NoSuchShare,
}

/// What a change comes to: done, refused, or impossible to tell.
pub type Answer<T> = Result<Result<T, Refused>, Error>;

/// Why a change stopped on the way.
pub(super) enum Stop {
    Refused(Refused),
    Failed(Error),
}

/// Tells refusals from failures.
pub(super) async fn answer<T>(change: impl Future<Output = Result<T, Stop>>) -> Answer<T> {
    match change.await {
        Ok(done) => Ok(Ok(done)),
        Err(Stop::Refused(refused)) => Ok(Err(refused)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<GrantRefusal> for Stop {
    fn from(refusal: GrantRefusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}
