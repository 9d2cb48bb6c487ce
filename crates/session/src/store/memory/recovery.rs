//! Recovery codes, and second factors that are removed or replaced.

use super::MemoryStore;
use crate::{
    error::Result,
    id::UserId,
    store::{Digest, FactorStore, RecoveryStore, TotpState},
};

impl RecoveryStore for MemoryStore {
    async fn put_recovery_codes(&self, user: UserId, codes: &[Digest]) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.has_active_totp());
        Ok(account.map(|account| account.recovery = codes.to_vec()).is_some())
    }

    async fn consume_recovery_code(&self, user: UserId, candidates: &[Digest]) -> Result<Option<u32>> {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(&user) else { return Ok(None) };
        let before = account.recovery.len();
        account.recovery.retain(|code| !candidates.contains(code));
        let left = account.recovery.len();
        Ok((left < before).then_some(u32::try_from(left).unwrap_or(u32::MAX)))
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32> {
        let left = self.state().accounts.get(&user).map_or(0, |account| account.recovery.len());
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }
}

impl FactorStore for MemoryStore {
    async fn remove_totp(&self, user: UserId) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.totp.is_some());
        Ok(account
            .map(|account| {
                (account.totp, account.replacement) = (None, None);
                account.recovery.clear();
                account.version += 1;
            })
            .is_some())
    }

    async fn put_replacement_totp(&self, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.has_active_totp());
        Ok(account.map(|account| account.replacement = Some(sealed_seed.to_vec())).is_some())
    }

    async fn replacement_totp(&self, user: UserId) -> Result<Option<Vec<u8>>> {
        Ok(self.state().accounts.get(&user).and_then(|account| account.replacement.clone()))
    }

    async fn swap_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user);
        let account = account.filter(|account| account.replacement.as_deref() == Some(sealed_seed));
        let Some(account) = account else { return Ok(false) };
        account.replacement = None;
        account.version += 1;
        let totp = account.totp.as_mut().filter(|totp| totp.state == TotpState::Active);
        Ok(totp.map(|totp| (totp.sealed_seed, totp.last_step) = (sealed_seed.to_vec(), step)).is_some())
    }
}

impl super::Account {
    fn has_active_totp(&self) -> bool {
        self.totp.as_ref().is_some_and(|totp| totp.state == TotpState::Active)
    }
}
