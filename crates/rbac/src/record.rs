//! The duty to record, as a type.

use std::fmt;
use std::future::Future;

use crate::ident::UserId;
use crate::permission::Kind;
use crate::reason::Reason;
use crate::resource::Resource;
use crate::version::{PolicyVersion, SubjectVersion};

/// Where uses of `audit` permissions are recorded: an audit log.
pub trait AuditSink {
    /// Why a record could not be made durable.
    type Error;

    /// Makes the record durable. Whatever it permits happens only after this has returned `Ok`.
    fn record(&mut self, record: AccessRecord) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// One use of an `audit` permission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRecord {
    /// Who did it: the person, or the member of staff who impersonates.
    pub actor: UserId,
    /// Who is or was to be impersonated.
    pub on_behalf_of: Option<UserId>,
    /// Who lent the permission, if it was used by delegation.
    pub delegated_by: Option<UserId>,
    /// Why the person was given an exception, if it was one that granted the permission and no role: what is called break-glass.
    pub exception: Option<Reason>,
    /// The facts of the row. Which row it is only the application knows: let the sink carry its identity.
    pub resource: Resource,
    /// The key of the permission.
    pub permission: &'static str,
    /// Whether it reads or writes.
    pub kind: Kind,
    /// The reason given for impersonating.
    pub reason: Option<Reason>,
    /// The decision, as displayed: the role, override or delegation that granted it, and all roles.
    pub explanation: String,
    /// Which policy decided.
    pub policy_version: PolicyVersion,
    /// Which version of the person's authority was asked; `None` if the actor did not come from a store.
    pub subject_version: Option<SubjectVersion>,
}

/// Something that may be used only after it has been recorded: a permit of an `audit` permission, or an impersonation.
///
/// The only way to what is inside is [`record`](Self::record); if the sink fails, it is lost.
#[must_use = "it is of no use until it is recorded"]
pub struct Unrecorded<G> {
    grant: G,
    record: AccessRecord,
}

impl<G> Unrecorded<G> {
    pub(crate) const fn new(grant: G, record: AccessRecord) -> Self {
        Self { grant, record }
    }

    /// Records the use in `sink`, and gives what was asked for.
    ///
    /// # Errors
    ///
    /// The error of the sink, and then nothing is permitted.
    pub async fn record<S: AuditSink>(self, sink: &mut S) -> Result<G, S::Error> {
        sink.record(self.record).await?;
        Ok(self.grant)
    }
}

impl<G> fmt::Debug for Unrecorded<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unrecorded").field("record", &self.record).finish_non_exhaustive()
    }
}
