//! What changes the session of a browser, and sets its cookies.

use super::Visit;
use crate::{
    error::{ErrorKind, Result},
    flow::{Flow, FullyVerified, Identified, PasswordVerified},
    id::SessionId,
    impersonation::IssuedImpersonation,
    session::Issued,
    touch::Touch,
    tower::{Refusal, Visitor, outgoing::Slot},
};

impl Visit {
    /// Begins a sign-in from where the request comes from, on the device that its cookie names; see [`Auth::begin`](crate::Auth::begin).
    ///
    /// # Errors
    ///
    /// `Configuration` as for [`client`](Self::client); `Store`.
    pub async fn begin(&self, identifier: &str) -> Result<Flow<Identified>> {
        let flow = self.0.auth.begin(identifier, &self.client()?).await?;
        Ok(flow.on_device(self.0.brought.device()))
    }

    /// Lets a sign-in wait for its second factor, in a cookie of its own.
    ///
    /// # Errors
    ///
    /// None that can happen: `Configuration` if the cookie cannot be a header.
    pub fn wait(&self, flow: &Flow<PasswordVerified>) -> Result<()> {
        self.0.outgoing.set(Slot::Pending, &self.0.cookies.pending(&flow.token()))
    }

    /// Takes up the sign-in that waits in the request's cookie. Nothing if none does, or it has ended; its cookie is removed then.
    ///
    /// # Errors
    ///
    /// `Configuration` as for [`client`](Self::client); `Store`.
    pub async fn resume(&self) -> Result<Option<Flow<PasswordVerified>>> {
        let Some(token) = &self.0.brought.pending else { return Ok(None) };
        match self.0.auth.resume(token, &self.client()?).await {
            Ok(flow) => Ok(Some(flow)),
            Err(error) if error.kind() == ErrorKind::FlowEnded => {
                self.0.outgoing.set(Slot::Pending, &self.0.cookies.clear_pending())?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a session of a finished sign-in and gives it to the browser, together with a cookie that marks the device. The session that the
    /// browser came with ends, so that no token from before the sign-in is worth anything after it (session fixation, ASVS 5.0, 7.2.4).
    ///
    /// # Errors
    ///
    /// As [`Auth::issue`](crate::Auth::issue).
    pub async fn issue(&self, flow: Flow<FullyVerified>) -> Result<Issued> {
        self.end().await?;
        let issued = self.0.auth.issue(flow).await?;
        self.carry(&issued)?;
        self.0.outgoing.set(Slot::Pending, &self.0.cookies.clear_pending())?;
        self.0.outgoing.set(Slot::Device, &self.0.cookies.device(&self.0.auth.device_token(issued.session())?))?;
        Ok(issued)
    }

    /// Gives the browser the token of a session that was issued anew: by a step-up, a rotation, a change of password.
    ///
    /// # Errors
    ///
    /// None that can happen: `Configuration` if the cookie cannot be a header.
    pub fn carry(&self, issued: &Issued) -> Result<()> {
        self.0.outgoing.set(Slot::Session, &self.0.cookies.session(issued.token()))
    }

    /// Replaces the token of the browser's session; see [`Auth::rotate`](crate::Auth::rotate). Requests that are under way with the old one find nothing.
    ///
    /// # Errors
    ///
    /// `Random`; `Store`.
    pub async fn rotate(&self) -> Result<Option<Issued>> {
        let Some(token) = &self.0.brought.session else { return Ok(None) };
        let issued = self.0.auth.rotate(token).await?;
        issued.as_ref().map(|issued| self.carry(issued)).transpose()?;
        Ok(issued)
    }

    /// Lets the browser go on as somebody else, beside its own session.
    ///
    /// # Errors
    ///
    /// None that can happen: `Configuration` if the cookie cannot be a header.
    pub fn impersonate(&self, issued: &IssuedImpersonation) -> Result<()> {
        self.0.outgoing.set(Slot::Impersonation, &self.0.cookies.impersonation(issued.token()))
    }

    /// Ends the impersonation that the request came in, in the store and in the browser. False if there was none.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn end_impersonation(&self) -> Result<bool> {
        self.0.outgoing.set(Slot::Impersonation, &self.0.cookies.clear_impersonation())?;
        match self.visitor_with(Touch::Never).await? {
            Visitor::Impersonating(impersonation) => self.0.auth.impersonations().end(impersonation.id).await,
            _ => Ok(false),
        }
    }

    /// Ends the browser's session, in the store and then in the browser. False if the request's token opens none: it had ended, or a
    /// rotation at the same moment replaced the token.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn sign_out(&self) -> Result<bool> {
        let ended = self.end().await?;
        self.0.outgoing.set(Slot::Session, &self.0.cookies.clear_session())?;
        Ok(ended)
    }

    /// Ends a session of the same user, for a page of devices. False if the user has no live session of this name, whoever else has.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session).
    pub async fn revoke(&self, sid: SessionId) -> Result<bool, Refusal> {
        let Some(own) = self.session().await? else { return Ok(false) };
        let theirs = self.0.auth.sessions(own.user).await?.iter().any(|session| session.sid == sid);
        if theirs {
            self.0.auth.revoke(sid).await?;
        }
        Ok(theirs)
    }

    /// Ends the session that the browser came with, and an impersonation with it.
    async fn end(&self) -> Result<bool> {
        let Some(sid) = self.visitor_with(Touch::Never).await?.sid() else { return Ok(false) };
        self.0.auth.revoke(sid).await?;
        if self.0.brought.impersonation.is_some() {
            self.0.outgoing.set(Slot::Impersonation, &self.0.cookies.clear_impersonation())?;
        }
        Ok(true)
    }
}
