//! The beginning and the end of a sign-in.

use super::{Auth, accounts::normalise};
use crate::{
    client::ClientInfo,
    error::{Error, Result},
    event::SecurityEvent,
    flow::{Flow, FullyVerified, Identified, PasswordVerified},
    id::SessionId,
    network::{KEEP, Network, NetworkStatus, known_for},
    session::Issued,
    store::{Lookup, SessionRecord},
    token::{PendingToken, SessionToken},
};

impl Auth {
    /// Begins a sign-in. What it returns does not tell whether the identifier has an account.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn begin(&self, identifier: &str, client: &ClientInfo) -> Result<Flow<Identified>> {
        // What cannot be an identifier is looked up like one; the empty string is nobody's.
        let identifier = normalise(identifier).unwrap_or_default();
        let account = self.0.store.account(Lookup::Identifier(&identifier)).await?;
        Ok(Flow::begin(&self.0, client, identifier, account))
    }

    /// Takes up a sign-in that waits for its second factor, on a later request.
    ///
    /// # Errors
    ///
    /// `FlowEnded` if it is unknown, expired, finished or revoked; `Store`.
    pub async fn resume(&self, token: &PendingToken, client: &ClientInfo) -> Result<Flow<PasswordVerified>> {
        let digest = token.digest(&self.0.keys).ok_or_else(Error::flow_ended)?;
        let record = self.0.store.flow(&digest, self.0.now()).await?.ok_or_else(Error::flow_ended)?;
        Ok(Flow::resume(&self.0, client, token.duplicate(), digest, record))
    }

    /// Makes a session of a finished sign-in, with a token that nobody has seen before.
    ///
    /// If the sessions of the user were revoked since the sign-in began, the new one is dead from the start.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the sign-in was begun on another `Auth`; `Random`; `Store`.
    pub async fn issue(&self, flow: Flow<FullyVerified>) -> Result<Issued> {
        if !self.0.is_same(flow.auth()) {
            return Err(Error::invalid("the sign-in was begun on another `Auth`"));
        }
        let (client, verified) = flow.into_verified();
        let now = self.0.now();
        let network = Network::from(client.ip);
        let status = self.0.store.note_network(verified.user, network, now, now - known_for(), KEEP).await?;
        let token = SessionToken::generate(&self.0.keys)?;
        let digest = token.digest(&self.0.keys).ok_or_else(Error::flow_ended)?;
        let record = SessionRecord {
            sid: SessionId::generate(now)?,
            user: verified.user,
            tenant: verified.tenant,
            versions: verified.versions,
            assurance: verified.assurance,
            authenticated_at: verified.at,
            last_seen_at: now,
            idle: self.0.limits.idle(),
            expires_at: verified.at + self.0.limits.absolute(),
            ip: client.ip,
            user_agent: client.short_user_agent(),
            mfa_required_from: verified.mfa_required_from,
        };
        self.0.store.insert_session(&digest, &record).await?;
        let (user, tenant) = (record.user, record.tenant);
        let signed_in = SecurityEvent::SignedIn {
            user,
            tenant,
            sid: record.sid,
            assurance: record.assurance,
            client: client.clone(),
        };
        self.0.emit(&signed_in);
        if status == NetworkStatus::New {
            self.0.emit(&SecurityEvent::NewNetwork { user, tenant, network, client });
        }
        Ok(Issued::new(token, record, now, Some(status)))
    }
}
