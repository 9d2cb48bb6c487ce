//! Known networks and devices.

use super::Auth;
use crate::{
    device::DeviceToken,
    error::Result,
    id::UserId,
    network::{KnownNetwork, Network},
    session::Session,
};

impl Auth {
    /// A token for the browser of a session, by which it is known at the next sign-in. Give it after a sign-in; it counts for 180 days.
    ///
    /// # Errors
    ///
    /// `Random`, `Configuration`.
    pub fn device_token(&self, session: &Session) -> Result<DeviceToken> {
        DeviceToken::generate(&self.0.keys, session.user, self.0.now())
    }

    /// The networks that a user signed in from in the last 90 days, at most 50, the last used one first.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn networks(&self, user: UserId) -> Result<Vec<KnownNetwork>> {
        self.0.store.networks(user).await
    }

    /// Forgets one network of a user, or all of them, and says how many there were. The next sign-in from a forgotten one is new.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn forget_networks(&self, user: UserId, which: Option<Network>) -> Result<u64> {
        self.0.store.forget_networks(user, which).await
    }
}
