//! Beginning, using, showing and ending impersonations.

use std::{fmt, num::NonZeroU32, time::Duration};

use chrono::TimeDelta;

use super::Inner;
use crate::{
    client::ClientInfo,
    error::{Error, Result},
    event::SecurityEvent,
    id::{ImpersonationId, TenantId, UserId},
    impersonation::{
        Caller, Impersonation, ImpersonationPolicy, ImpersonationRefusal, ImpersonationStart, IssuedImpersonation,
    },
    session::{Assurance, Session},
    store::{Ending, ImpersonationRecord, Lookup},
    token::ImpersonationToken,
};

/// Impersonation; see [`Auth::impersonations`](crate::Auth::impersonations).
///
/// The application decides who is staff, and whom they may impersonate: nothing here asks for a permission.
pub struct Impersonations<'a>(&'a Inner);

impl<'a> Impersonations<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// Lets the user of `staff` see what `target` sees, for `length`, between 1 and 60 minutes. One that the session had before ends.
    ///
    /// It ends earlier with the session it began in, with the target's account or sessions ([`revoke_all`](crate::Auth::revoke_all)),
    /// when the tenant refuses impersonations, and with [`end`](Self::end).
    ///
    /// # Errors
    ///
    /// `InvalidInput` unless the reason has 1 to 500 characters that are not all blank, and no control characters, and `length` is in
    /// its range; `Random`; `Store`.
    pub async fn start(
        &self,
        staff: &Session,
        target: UserId,
        reason: &str,
        length: Duration,
        client: &ClientInfo,
    ) -> Result<ImpersonationStart> {
        let reason = reason.trim();
        if !(1..=500).contains(&reason.chars().count()) || reason.contains(char::is_control) {
            return Err(Error::invalid("the reason of an impersonation has 1 to 500 characters"));
        }
        let length = TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX);
        if !(TimeDelta::minutes(1)..=TimeDelta::minutes(60)).contains(&length) {
            return Err(Error::invalid("an impersonation takes between 1 and 60 minutes"));
        }
        let refuse = |reason, tenant| {
            self.0.emit(&SecurityEvent::ImpersonationRefused {
                actor: staff.user,
                target,
                tenant,
                reason,
                client: client.clone(),
            });
            Ok(ImpersonationStart::Refused(reason))
        };
        if staff.assurance < Assurance::PasswordAndTotp {
            return refuse(ImpersonationRefusal::SecondFactor, None);
        }
        if staff.user == target {
            return refuse(ImpersonationRefusal::Oneself, None);
        }
        let Some(account) = self.0.store.account(Lookup::User(target)).await? else {
            return refuse(ImpersonationRefusal::NoAccount, None);
        };
        let now = self.0.now();
        let token = ImpersonationToken::generate(&self.0.keys)?;
        let digest = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        let record = ImpersonationRecord {
            id: ImpersonationId::generate(now)?,
            actor: staff.user,
            session: staff.sid,
            target,
            tenant: account.tenant,
            versions: account.versions,
            reason: reason.to_owned(),
            started_at: now,
            expires_at: now + length,
            ended_at: None,
            ip: client.ip,
        };
        self.finish(Ending::OfSession(staff.sid)).await?;
        if !self.0.store.insert_impersonation(&digest, &record).await? {
            let policy = self.0.store.impersonation_policy(account.tenant).await?;
            let refused = policy == ImpersonationPolicy::Refused;
            let reason = if refused { ImpersonationRefusal::TenantRefuses } else { ImpersonationRefusal::Ended };
            return refuse(reason, Some(account.tenant));
        }
        self.0.emit(&SecurityEvent::ImpersonationStarted {
            id: record.id,
            actor: record.actor,
            target,
            tenant: record.tenant,
            reason: record.reason.clone(),
            expires_at: record.expires_at,
            client: client.clone(),
        });
        Ok(ImpersonationStart::Started(IssuedImpersonation { token, impersonation: record.into() }))
    }

    /// Who a request is from that carries a session and, perhaps, the token of an impersonation. `session` comes from
    /// [`Auth::resolve`](crate::Auth::resolve): a token without the session that it was made for shows nothing. One query if there is a
    /// token.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn caller(&self, session: Session, token: Option<&ImpersonationToken>) -> Result<Caller> {
        let Some(token) = token else { return Ok(Caller::Own(session)) };
        let live = match token.digest(&self.0.keys) {
            Some(digest) => self.0.store.impersonation(&digest, session.sid, self.0.now()).await?,
            None => None,
        };
        match live {
            Some(record) => Ok(Caller::Impersonating(record.into())),
            None => {
                self.settle().await?;
                Ok(Caller::Over(session))
            }
        }
    }

    /// Ends an impersonation: the staff's button, or the tenant's. False if there is none or it was over.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn end(&self, id: ImpersonationId) -> Result<bool> {
        Ok(self.finish(Ending::One(id)).await? > 0)
    }

    /// Notices every impersonation that has ended by itself, such as by its time: each makes its event here, unless a request with
    /// its token did before. Call it every few minutes if the audit trail should have these ends soon. Counts them.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn settle(&self) -> Result<usize> {
        self.finish(Ending::Over).await
    }

    /// The newest impersonations of a tenant's users, for the tenant to see.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn list(&self, tenant: TenantId, most: NonZeroU32) -> Result<Vec<Impersonation>> {
        self.settle().await?;
        let records = self.0.store.impersonations(tenant, most).await?;
        Ok(records.into_iter().map(Impersonation::from).collect())
    }

    /// Whether staff may impersonate the users of a tenant.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn policy(&self, tenant: TenantId) -> Result<ImpersonationPolicy> {
        self.0.store.impersonation_policy(tenant).await
    }

    /// Allows or refuses impersonations of a tenant's users. A refusal ends those that are under way.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn set_policy(&self, tenant: TenantId, policy: ImpersonationPolicy) -> Result<()> {
        if self.0.store.set_impersonation_policy(tenant, policy).await? {
            self.0.emit(&SecurityEvent::ImpersonationPolicyChanged { tenant, policy });
        }
        self.settle().await.map(drop)
    }

    async fn finish(&self, ending: Ending) -> Result<usize> {
        self.0.end_impersonations(ending).await
    }
}

impl Inner {
    /// Ends impersonations and says so, each once.
    pub(super) async fn end_impersonations(&self, ending: Ending) -> Result<usize> {
        let ended = self.store.end_impersonations(ending, self.now()).await?;
        for record in &ended {
            let (id, actor, target, tenant) = (record.id, record.actor, record.target, record.tenant);
            self.emit(&SecurityEvent::ImpersonationEnded { id, actor, target, tenant });
        }
        Ok(ended.len())
    }
}

impl fmt::Debug for Impersonations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Impersonations")
    }
}
