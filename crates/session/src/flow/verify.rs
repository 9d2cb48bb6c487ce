//! The steps of a sign-in.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::{Flow, FullyVerified, Identified, PasswordVerified, Rejected, Step, TotpStep};
use crate::{
    auth::Inner,
    client::ClientInfo,
    device::DeviceToken,
    error::{Error, Result},
    event::{FailureReason, SecurityEvent},
    id::{TenantId, UserId},
    lockout::{Origin, PasswordBuckets, totp_bucket},
    network::{Network, known_for},
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
        let now = auth.now();
        let origin = auth.origin(account.map(|(user, _)| user), state.device.as_ref(), &client, now).await?;
        let policies = [&auth.lockout, &auth.identifier_lockout];
        let buckets = PasswordBuckets::new(&auth.keys, &state.identifier, origin, policies);
        let reservation = auth.reserve(&buckets, now).await?;
        let checked = check(slot, reservation, state.account, &password).await?;
        let (account, verdict) = match checked {
            Ok(right) => right,
            Err((reason, verdict)) => {
                if let (Verdict::Refused, Some((user, tenant))) = (verdict, account) {
                    auth.emit(&SecurityEvent::StoredHashRefused { user, tenant });
                }
                return Ok(Step::Rejected(auth.reject(now, account, reason, reservation, client).await));
            }
        };
        auth.store.clear_attempts(&buckets.own.0).await?;
        auth.store.clear_attempts(&buckets.shared.0).await?;
        if verdict == Verdict::MatchOutdated {
            auth.upgrade(&account, password).await?;
        }
        if !account.has_totp() {
            let state = FullyVerified {
                user: account.user,
                tenant: account.tenant,
                versions: account.versions,
                assurance: Assurance::Password,
                mfa_required_from: account.mfa_required_from,
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
            let rejected = auth.reject(now, Some((user, tenant)), reason, reservation, client).await;
            return Ok(TotpStep::Rejected(rejected));
        }
        auth.store.clear_attempts(&bucket).await?;
        let state = FullyVerified::of_flow(&state.record, Assurance::PasswordAndTotp, now);
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
        (Some(account), Verdict::Match | Verdict::MatchOutdated) if account.is_active() => Ok((account, verdict)),
        (Some(_), Verdict::Match | Verdict::MatchOutdated) => Err((FailureReason::NotActive, verdict)),
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
        let step = self.matching_step(owner, &totp.sealed_seed, code, now)?;
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

    /// What vouches for a client. The store is asked for unknown users too.
    async fn origin(
        &self,
        user: Option<UserId>,
        device: Option<&DeviceToken>,
        client: &ClientInfo,
        now: DateTime<Utc>,
    ) -> Result<Origin> {
        let network = Network::from(client.ip);
        let asked = user.unwrap_or_else(|| UserId::from(Uuid::nil()));
        let known = self.store.is_known_network(asked, network, now - known_for()).await?;
        let device = device.and_then(|device| device.device_of(&self.keys, asked, now));
        Ok(match (user, device) {
            (Some(_), Some(device)) => Origin::KnownDevice(device),
            (Some(_), None) if known => Origin::KnownNetwork(network),
            _ => Origin::Untrusted(network),
        })
    }

    /// Counts an attempt in both buckets. One that the first refuses asks the first again, so that it does not count in the second.
    async fn reserve(&self, buckets: &PasswordBuckets<'_>, now: DateTime<Utc>) -> Result<Reservation> {
        let first = self.store.reserve_attempt(&buckets.own.0, buckets.own.1, now).await?;
        let (bucket, policy) = if first == Reservation::Locked { buckets.own } else { buckets.shared };
        let second = self.store.reserve_attempt(&bucket, policy, now).await?;
        Ok(match (first, second) {
            (Reservation::Granted { locked_until: own }, Reservation::Granted { locked_until: shared }) => {
                Reservation::Granted { locked_until: own.max(shared) }
            }
            _ => Reservation::Locked,
        })
    }

    /// Tells why, waits for the floor, and gives what the client may know.
    pub(crate) async fn reject(
        &self,
        started: DateTime<Utc>,
        account: Option<(UserId, TenantId)>,
        reason: FailureReason,
        reservation: Reservation,
        client: ClientInfo,
    ) -> Rejected {
        self.emit(&SecurityEvent::SignInFailed { account, reason, client: client.clone() });
        if let Reservation::Granted { locked_until: Some(until) } = reservation {
            self.emit(&SecurityEvent::LockedOut { account, until, client });
        }
        self.hold(started).await;
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
