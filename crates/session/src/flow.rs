//! A sign-in, with its progress in its type.

mod recovery;
mod state;
mod verify;

use std::{fmt, sync::Arc};

use crate::{
    auth::Inner,
    client::ClientInfo,
    device::DeviceToken,
    store::{AccountRecord, Digest, FlowRecord},
    token::PendingToken,
};

pub use state::{FullyVerified, Identified, PasswordVerified, State};

/// A sign-in that has come as far as `S` says. It cannot be built, copied or used twice.
///
/// A page that only needs the password goes from [`Auth::begin`](crate::Auth::begin) to [`Auth::issue`](crate::Auth::issue) in one
/// request. With a second factor, the first request ends with [`token`](Flow::token) in a cookie of its own
/// ([`Cookies::pending`](crate::Cookies::pending)), and the next one starts with [`Auth::resume`](crate::Auth::resume).
///
/// ```compile_fail,E0308
/// # use stockade_session::{Auth, Flow, Identified};
/// # async fn skip(auth: Auth, flow: Flow<Identified>) -> stockade_session::Result<()> {
/// auth.issue(flow).await?; // expected `Flow<FullyVerified>`
/// # Ok(()) }
/// ```
#[must_use]
pub struct Flow<S: State> {
    auth: Arc<Inner>,
    client: ClientInfo,
    state: S,
}

/// The outcome of a password.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Wrong password, unknown identifier or locked: the same to the client.
    Rejected(Rejected),
    /// The password is right, and the account has a second factor.
    TotpRequired(Flow<PasswordVerified>),
    /// The password is right, and the account has no second factor.
    Done(Flow<FullyVerified>),
}

/// The outcome of a code, be it the app's or a recovery code.
#[derive(Debug)]
#[must_use]
pub enum TotpStep {
    /// Wrong code, used code or locked. The pending sign-in goes on: [`Auth::resume`](crate::Auth::resume) it for another try.
    Rejected(Rejected),
    /// The code is right and used up, and the pending sign-in has ended.
    Done(Flow<FullyVerified>),
}

/// A refused credential. It carries no reason; events do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Rejected;

impl<S: State> Flow<S> {
    pub(crate) fn auth(&self) -> &Arc<Inner> {
        &self.auth
    }
}

impl Flow<Identified> {
    pub(crate) fn begin(
        auth: &Arc<Inner>,
        client: &ClientInfo,
        identifier: String,
        account: Option<AccountRecord>,
    ) -> Self {
        let state = Identified { identifier, account, device: None };
        Self { auth: Arc::clone(auth), client: client.clone(), state }
    }

    /// With what [`Cookies::read_device`](crate::Cookies::read_device) found. A device of this user keeps its own count of failures, so
    /// that nobody else can lock it out; any other token changes nothing.
    pub fn on_device(mut self, device: Option<DeviceToken>) -> Self {
        self.state.device = device;
        self
    }
}

impl Flow<PasswordVerified> {
    pub(crate) fn resume(
        auth: &Arc<Inner>,
        client: &ClientInfo,
        token: PendingToken,
        digest: Digest,
        record: FlowRecord,
    ) -> Self {
        let state = PasswordVerified { token, digest, record };
        Self { auth: Arc::clone(auth), client: client.clone(), state }
    }

    /// What the client needs to go on, for a cookie apart from the session's.
    #[must_use]
    pub fn token(&self) -> PendingToken {
        self.state.token.duplicate()
    }
}

impl Flow<FullyVerified> {
    pub(crate) fn into_verified(self) -> (ClientInfo, FullyVerified) {
        (self.client, self.state)
    }
}

impl<S: State> fmt::Debug for Flow<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flow<{}>(..)", S::NAME)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sign-in failed")
    }
}

#[cfg(test)]
mod tests;
