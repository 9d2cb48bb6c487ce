//! Tokens with which the application calls another service in somebody's name (OAuth 2.0, RFC 6749).

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    id::{ConnectionId, TenantId, UserId},
    store::ConnectionRecord,
};

/// A connection without its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The public name of the connection.
    pub id: ConnectionId,
    /// In whose name.
    pub user: UserId,
    /// The tenant of the user.
    pub tenant: TenantId,
    /// The other service, in the application's words.
    pub provider: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its tokens came.
    pub refreshed_at: DateTime<Utc>,
    /// When its access token ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A connection to be made.
#[derive(Debug)]
pub struct NewConnection<'a> {
    /// In whose name.
    pub user: UserId,
    /// The other service, in the application's words, 1 to 100 characters.
    pub provider: &'a str,
    /// What it gave.
    pub tokens: ProviderTokens,
}

/// What the token endpoint of another service answered (RFC 6749, 5.1). `Debug` shows no token.
#[derive(Debug)]
pub struct ProviderTokens {
    /// The access token.
    pub access: SecretString,
    /// The refresh token. If a refresh brings none, the old one goes on.
    pub refresh: Option<SecretString>,
    /// When the access token ends, as far as the service says.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a refresh brought.
#[derive(Debug)]
pub enum Refreshed {
    /// New tokens.
    Tokens(ProviderTokens),
    /// The service refused the refresh token for good (`invalid_grant`): the connection ends.
    Refused,
}

/// The answer to a wish for an access token.
#[derive(Debug)]
#[must_use]
pub enum ConnectionAccess {
    /// Here it is, with more than a minute to live, or none at all known.
    Token(SecretString),
    /// It has ended, and another request is fetching the next one: ask again in a moment, and at `until` at the latest.
    Busy {
        /// When somebody else may try.
        until: DateTime<Utc>,
    },
    /// There is no such connection any more, or it cannot be refreshed: its owner has to connect again.
    Ended,
}

/// Whose tokens they are: the context to bind the ciphertext to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionOwner {
    /// The tenant of the user.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
}

impl ProviderTokens {
    /// The length of the access token in 4 bytes, the access token, and the refresh token behind a 1, or a 0.
    pub(crate) fn to_bytes(&self, old_refresh: Option<&SecretString>) -> Result<Zeroizing<Vec<u8>>> {
        let access = self.access.expose_secret().as_bytes();
        let refresh = self.refresh.as_ref().or(old_refresh).map(|refresh| refresh.expose_secret().as_bytes());
        let length = u32::try_from(access.len()).map_err(|_| Error::invalid("an access token of this length"))?;
        let whole = access.len() + refresh.map_or(0, <[u8]>::len) + 5;
        let mut bytes = Zeroizing::new(Vec::with_capacity(whole));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(access);
        bytes.push(u8::from(refresh.is_some()));
        bytes.extend_from_slice(refresh.unwrap_or_default());
        Ok(bytes)
    }
}

/// The access and the refresh token that [`ProviderTokens::to_bytes`] wrote.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(SecretString, Option<SecretString>)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (access, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let text = |bytes| str::from_utf8(bytes).ok().map(SecretString::from);
    let refresh = match rest.split_first()? {
        (0, []) => None,
        (1, refresh) => Some(text(refresh)?),
        _ => return None,
    };
    Some((text(access)?, refresh))
}

impl From<ConnectionRecord> for Connection {
    fn from(record: ConnectionRecord) -> Self {
        Self {
            id: record.id,
            user: record.user,
            tenant: record.tenant,
            provider: record.provider,
            created_at: record.created_at,
            refreshed_at: record.refreshed_at,
            expires_at: record.expires_at,
        }
    }
}

impl fmt::Display for ConnectionAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "connected",
            Self::Busy { .. } => "the connection is being refreshed",
            Self::Ended => "the connection has ended",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_come_back(access in "\\PC{0,40}", refresh in proptest::option::of("\\PC{0,40}")) {
            let tokens = ProviderTokens {
                access: access.clone().into(),
                refresh: refresh.clone().map(SecretString::from),
                expires_at: None,
            };
            let bytes = tokens.to_bytes(None).unwrap();
            let (a, r) = from_bytes(&bytes).unwrap();
            prop_assert_eq!(a.expose_secret(), access);
            prop_assert_eq!(r.map(|r| r.expose_secret().to_owned()), refresh.clone());
            let kept = tokens.to_bytes(Some(&"old".into())).unwrap();
            let kept = from_bytes(&kept).unwrap().1.unwrap();
            prop_assert_eq!(kept.expose_secret(), refresh.unwrap_or("old".to_owned()));
        }

        #[test]
        fn other_bytes_do_not_panic(bytes: Vec<u8>) {
            let _ = from_bytes(&bytes);
        }
    }
}
