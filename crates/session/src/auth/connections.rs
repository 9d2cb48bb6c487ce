//! Making, using and ending connections to other services.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::Inner;
use crate::{
    cipher::SecretCipher,
    connection::{Connection, ConnectionAccess, ConnectionOwner, NewConnection, ProviderTokens, Refreshed, from_bytes},
    error::{BoxError, Error, Result},
    event::{ConnectionEnd, SecurityEvent},
    id::ConnectionId,
    session::Scope,
    store::{ConnectionRecord, Lookup},
};

/// How long before its end an access token is refreshed.
const AHEAD: TimeDelta = TimeDelta::seconds(60);
/// How long a refresh has the connection to itself.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// Connections to other services; see [`Auth::connections`](crate::Auth::connections).
///
/// Nothing here asks who is calling; `within` says whose connections a call may reach.
pub struct Connections<'a>(&'a Inner);

impl<'a> Connections<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// Keeps the tokens of another service, sealed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the provider's name is empty, longer than 100 characters or has control characters; `NotFound` if the user
    /// has no active account; `ConnectionCipher`; `Configuration` without a cipher; `Random`; `Store`.
    pub async fn connect(&self, new: NewConnection<'_>) -> Result<Connection> {
        if !(1..=100).contains(&new.provider.chars().count()) || new.provider.contains(char::is_control) {
            return Err(Error::invalid("the name of a provider has 1 to 100 characters and no control characters"));
        }
        let account = self.0.store.account(Lookup::User(new.user)).await?.ok_or_else(Error::not_found)?;
        let now = self.0.now();
        let id = ConnectionId::generate(now)?;
        let owner = ConnectionOwner { tenant: account.tenant, connection: id };
        let record = ConnectionRecord {
            id,
            user: account.user,
            tenant: account.tenant,
            provider: new.provider.to_owned(),
            sealed: self.seal(owner, &new.tokens, None)?,
            generation: 0,
            lease_until: None,
            created_at: now,
            refreshed_at: now,
            expires_at: new.tokens.expires_at,
        };
        if !self.0.store.insert_connection(&record).await? {
            return Err(Error::not_found());
        }
        let (user, tenant, provider) = (record.user, record.tenant, record.provider.clone());
        self.0.emit(&SecurityEvent::ConnectionMade { id, user, tenant, provider });
        Ok(record.into())
    }

    /// An access token to use now. If it ends within a minute, one caller of all processes fetches the next one with `refresh`, which
    /// is given the refresh token; meanwhile the others get the old one while it lasts, and then `Busy`.
    ///
    /// `refresh` must give up within a minute: afterwards somebody else may try with the same refresh token, and what the first one
    /// brings is dropped. No database connection is held while it runs.
    ///
    /// # Errors
    ///
    /// `Refresh`, which is retryable, if `refresh` fails; `ConnectionCipher`; `Configuration` without a cipher; `Store`.
    pub async fn access<F>(
        &self,
        within: impl Into<Scope>,
        id: ConnectionId,
        refresh: impl FnOnce(SecretString) -> F,
    ) -> Result<ConnectionAccess>
    where
        F: Future<Output = Result<Refreshed, BoxError>>,
    {
        let Some(record) = self.0.store.connection(within.into(), id).await? else {
            return Ok(ConnectionAccess::Ended);
        };
        let now = self.0.now();
        let (access, refresh_token) = self.open(&record)?;
        if record.expires_at.is_none_or(|end| end > now + AHEAD) {
            return Ok(ConnectionAccess::Token(access));
        }
        let still_good = record.expires_at.is_some_and(|end| end > now);
        let Some(refresh_token) = refresh_token else {
            return Ok(if still_good { ConnectionAccess::Token(access) } else { ConnectionAccess::Ended });
        };
        if !self.0.store.lease_connection(id, record.generation, now, now + LEASE).await? {
            let until = record.lease_until.filter(|until| *until > now).unwrap_or(now + LEASE);
            return Ok(if still_good { ConnectionAccess::Token(access) } else { ConnectionAccess::Busy { until } });
        }
        let leased = ConnectionRecord { generation: record.generation + 1, ..record };
        let kept = refresh_token.clone();
        match refresh(refresh_token).await {
            Ok(Refreshed::Tokens(tokens)) => self.keep(&leased, tokens, &kept).await,
            Ok(Refreshed::Refused) => {
                self.end(Scope::Global, id, Some(leased.generation), ConnectionEnd::Refused).await?;
                Ok(ConnectionAccess::Ended)
            }
            Err(error) => {
                self.0.store.release_connection(id, leased.generation).await?;
                if still_good { Ok(ConnectionAccess::Token(access)) } else { Err(Error::refresh(error)) }
            }
        }
    }

    /// The connections, newest first.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn list(&self, within: impl Into<Scope>) -> Result<Vec<Connection>> {
        Ok(self.0.store.connections(within.into()).await?.into_iter().map(Connection::from).collect())
    }

    /// Ends a connection for good and forgets its tokens. False if there is none. What the other service thinks of the tokens is the
    /// application's to tell it (RFC 7009).
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn revoke(&self, within: impl Into<Scope>, id: ConnectionId) -> Result<bool> {
        self.end(within.into(), id, None, ConnectionEnd::Revoked).await
    }

    async fn keep(
        &self,
        leased: &ConnectionRecord,
        tokens: ProviderTokens,
        old_refresh: &SecretString,
    ) -> Result<ConnectionAccess> {
        let sealed = self.seal(owner(leased), &tokens, Some(old_refresh))?;
        let (id, generation, now) = (leased.id, leased.generation, self.0.now());
        // If the lease was too short and somebody else has tried since, theirs counts; the token in hand is good either way.
        let expires_at: Option<DateTime<Utc>> = tokens.expires_at;
        self.0.store.keep_connection(id, generation, &sealed, expires_at, now).await?;
        Ok(ConnectionAccess::Token(tokens.access))
    }

    async fn end(&self, within: Scope, id: ConnectionId, generation: Option<i64>, by: ConnectionEnd) -> Result<bool> {
        let ended = self.0.store.end_connection(within, id, generation, self.0.now()).await?;
        if let Some(record) = &ended {
            let (user, tenant) = (record.user, record.tenant);
            self.0.emit(&SecurityEvent::ConnectionEnded { id, user, tenant, by });
        }
        Ok(ended.is_some())
    }

    fn seal(&self, owner: ConnectionOwner, tokens: &ProviderTokens, old: Option<&SecretString>) -> Result<Vec<u8>> {
        let bytes = tokens.to_bytes(old)?;
        self.cipher()?.seal(owner, &bytes).map_err(Error::connection_cipher)
    }

    fn open(&self, record: &ConnectionRecord) -> Result<(SecretString, Option<SecretString>)> {
        let bytes = self.cipher()?.open(owner(record), &record.sealed).map_err(Error::connection_cipher)?;
        from_bytes(&bytes).ok_or_else(|| Error::connection_cipher("what was sealed is no tokens"))
    }

    fn cipher(&self) -> Result<&dyn SecretCipher<ConnectionOwner>> {
        self.0.connections.as_deref().ok_or_else(|| Error::configuration("connections need a cipher"))
    }
}

fn owner(record: &ConnectionRecord) -> ConnectionOwner {
    ConnectionOwner { tenant: record.tenant, connection: record.id }
}

impl fmt::Debug for Connections<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}
