//! The steps of a sign-in.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{Flow, FullyVerified, Identified, PasswordVerified, Rejected, Step, TotpStep};
use crate::{
    auth::Inner,
    client::ClientInfo,
    error::{Error, Result},
    event::{FailureReason, SecurityEvent},
    id::{TenantId, UserId},
    lockout::{password_bucket, totp_bucket},
    password::{Slot, Verdict},
    session::Assurance,
    store::{AccountRecord, FlowRecord, Reservation, TotpState},
    token::PendingToken,
    totp::SeedOwner,
};

impl Flow<Identified> {
    /// Checks the password, on the threads of the hash pool.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the hash pool is full, in which case the attempt is not counted; `Random`; `Store`.
    pub async fn verify_password(self, password: SecretString) -> Result<Step> {
        let Self { auth, client, state } = self;
        let account = state.account.as_ref().map(|account| (account.user, account.tenant));
        // A place first, then the count, then the hash: overload counts nothing, and no guess is evaluated before it counts.
        let slot = auth.pool.admit()?;
        let bucket = password_bucket(&auth.keys, &state.identifier);
        let now = auth.now();
        let reservation = auth.store.reserve_attempt(&bucket, &auth.lockout, now).await?;
        let checked = check(slot, reservation, state.account, &password).await?;
        let (account, verdict) = match checked {
            Ok(right) => right,
            Err((reason, verdict)) => {
                if let (Verdict::Refused, Some((user, tenant))) = (verdict, account) {
                    auth.emit(&SecurityEvent::StoredHashRefused { user, tenant });
                }
                return Ok(Step::Rejected(auth.reject(account, reason, reservation, client)));
            }
        };
        auth.store.clear_attempts(&bucket).await?;
        if verdict == Verdict::MatchOutdated {
            auth.upgrade(&account, password).await?;
        }
        if !account.has_totp() {
            let state = FullyVerified {
                user: account.user,
                tenant: account.tenant,
                versions: account.versions,
                assurance: Assurance::Password,
                at: now,
            };
            return Ok(Step::Done(Flow { auth, client, state }));
        }
        let record = FlowRecord {
            user: account.user,
            tenant: account.tenant,
            versions: account.versions,
            created_at: now,
            expires_at: now + auth.pending_life,
        };
        let token = PendingToken::generate(&auth.keys)?;
        let digest = token.digest(&auth.keys).ok_or_else(Error::flow_ended)?;
        auth.store.insert_flow(&digest, &record).await?;
        let state = PasswordVerified { token, digest, record };
        Ok(Step::TotpRequired(Flow { auth, client, state }))
    }
}

impl Flow<PasswordVerified> {
    /// Checks a code of the user's authenticator app, of the step of now, the one before or the one after. Spaces in it are ignored.
    ///
    /// Wrong codes are counted per user and lock like wrong passwords do, whatever the number of pending sign-ins.
    ///
    /// # Errors
    ///
    /// `SeedCipher`, `Configuration`, `Store`.
    pub async fn verify_totp(self, code: &str) -> Result<TotpStep> {
        let Self { auth, client, state } = self;
        let (user, tenant) = (state.record.user, state.record.tenant);
        let bucket = totp_bucket(&auth.keys, user);
        let now = auth.now();
        let reservation = auth.store.reserve_attempt(&bucket, &auth.lockout, now).await?;
        if let Err(reason) = auth.consume_code(reservation, &state, code, now).await? {
            return Ok(TotpStep::Rejected(auth.reject(Some((user, tenant)), reason, reservation, client)));
        }
        auth.store.clear_attempts(&bucket).await?;
        let (versions, assurance) = (state.record.versions, Assurance::PasswordAndTotp);
        let state = FullyVerified { user, tenant, versions, assurance, at: now };
        Ok(TotpStep::Done(Flow { auth, client, state }))
    }
}

type Checked = Result<(AccountRecord, Verdict), (FailureReason, Verdict)>;

/// Computes exactly one hash, whatever is known about the identifier.
async fn check(
    slot: Slot,
    reservation: Reservation,
    account: Option<AccountRecord>,
    password: &SecretString,
) -> Result<Checked> {
    let evaluated = account.filter(|_| reservation != Reservation::Locked);
    let stored = evaluated.as_ref().map(|account| account.password_hash.clone());
    let verdict = slot.verify(password.clone(), stored).await?;
    Ok(match (evaluated, verdict) {
        (Some(account), Verdict::Match | Verdict::MatchOutdated) => Ok((account, verdict)),
        (Some(_), Verdict::Mismatch | Verdict::Refused) => Err((FailureReason::WrongPassword, verdict)),
        (None, _) if reservation == Reservation::Locked => Err((FailureReason::Locked, verdict)),
        (None, _) => Err((FailureReason::UnknownIdentifier, verdict)),
    })
}

impl Inner {
    /// Uses up a code and the pending sign-in, or says why not.
    async fn consume_code(
        &self,
        reservation: Reservation,
        state: &PasswordVerified,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<(), FailureReason>> {
        let owner = SeedOwner { tenant: state.record.tenant, user: state.record.user };
        let totp = self.store.totp(owner.user).await?.filter(|totp| totp.state == TotpState::Active);
        let Some(totp) = totp else { return Ok(Err(FailureReason::FlowEnded)) };
        let step = self.matching_step(owner, &totp, code, now)?;
        if reservation == Reservation::Locked {
            return Ok(Err(FailureReason::Locked));
        }
        let Some(step) = step else { return Ok(Err(FailureReason::WrongCode)) };
        if !self.store.consume_totp_step(owner.user, &totp.sealed_seed, step).await? {
            return Ok(Err(FailureReason::ReplayedCode));
        }
        let finished = self.store.finish_flow(&state.digest, now).await?;
        Ok(if finished { Ok(()) } else { Err(FailureReason::FlowEnded) })
    }

    fn reject(
        &self,
        account: Option<(UserId, TenantId)>,
        reason: FailureReason,
        reservation: Reservation,
        client: ClientInfo,
    ) -> Rejected {
        self.emit(&SecurityEvent::SignInFailed { account, reason, client: client.clone() });
        if let Reservation::Granted { locked_until: Some(until) } = reservation {
            self.emit(&SecurityEvent::LockedOut { account, until, client });
        }
        Rejected
    }

    /// Replaces a hash with older parameters. A full pool puts it off until the next sign-in.
    async fn upgrade(&self, account: &AccountRecord, password: SecretString) -> Result<()> {
        if let Ok(new) = self.pool.rehash(password).await {
            self.store.replace_password_hash(account.user, &account.password_hash, &new).await?;
        }
        Ok(())
    }
}
