//! A recovery code in place of the second factor.

use chrono::{DateTime, Utc};

use super::{Flow, FullyVerified, PasswordVerified, TotpStep};
use crate::{
    auth::Inner,
    error::Result,
    event::{FailureReason, SecurityEvent},
    lockout::totp_bucket,
    recovery::candidates,
    session::Assurance,
    store::Reservation,
};

impl Flow<PasswordVerified> {
    /// Checks one of the user's [`RecoveryCodes`](crate::RecoveryCodes) and uses it up. Case, spaces and dashes do not matter.
    ///
    /// Wrong codes count together with those of [`verify_totp`](Self::verify_totp) and lock alike.
    ///
    /// # Errors
    ///
    /// `Store`.
    pub async fn verify_recovery_code(self, code: &str) -> Result<TotpStep> {
        let Self { auth, client, state } = self;
        let (user, tenant) = (state.record.user, state.record.tenant);
        let bucket = totp_bucket(&auth.keys, user);
        let now = auth.now();
        let reservation = auth.store.reserve_attempt(&bucket, &auth.lockout, now).await?;
        let left = match auth.consume_recovery_code(reservation, &state, code, now).await? {
            Ok(left) => left,
            Err(reason) => {
                let rejected = auth.reject(now, Some((user, tenant)), reason, reservation, client).await;
                return Ok(TotpStep::Rejected(rejected));
            }
        };
        auth.store.clear_attempts(&bucket).await?;
        auth.emit(&SecurityEvent::RecoveryUsed { user, tenant, left, client: client.clone() });
        let state = FullyVerified::of_flow(&state.record, Assurance::PasswordAndTotp, now);
        Ok(TotpStep::Done(Flow { auth, client, state }))
    }
}

impl Inner {
    /// Uses up a code and the pending sign-in and says how many codes are left, or says why not.
    async fn consume_recovery_code(
        &self,
        reservation: Reservation,
        state: &PasswordVerified,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Result<u32, FailureReason>> {
        if reservation == Reservation::Locked {
            return Ok(Err(FailureReason::Locked));
        }
        // A sign-in that has ended must not cost a code.
        if self.store.flow(&state.digest, now).await?.is_none() {
            return Ok(Err(FailureReason::FlowEnded));
        }
        let candidates = candidates(&self.keys, state.record.user, code);
        let Some(left) = self.store.consume_recovery_code(state.record.user, &candidates).await? else {
            return Ok(Err(FailureReason::WrongRecoveryCode));
        };
        let finished = self.store.finish_flow(&state.digest, now).await?;
        Ok(if finished { Ok(left) } else { Err(FailureReason::FlowEnded) })
    }
}
