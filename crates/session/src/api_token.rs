//! Tokens for programs: made once, shown once, used with each request.

mod policy;
mod text;

use std::{fmt, net::IpAddr, time::Duration};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use zeroize::Zeroizing;

use crate::{
    id::{ApiTokenId, TenantId, UserId},
    store::ApiTokenRecord,
};

pub use policy::ApiTokenPolicy;
pub(crate) use text::Presented;

/// An API token without its secret, as of the moment it was looked up.
///
/// What its bearer may do is what the owner may do *now*, cut down to [`scopes`](Self::scopes): the crate checks that the owner's
/// account is active, and the application intersects the owner's authority with the scopes (`stockade-rbac`: `Actor::attenuate`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiToken {
    /// The public name of the token.
    pub id: ApiTokenId,
    /// Whose authority it carries.
    pub user: UserId,
    /// The tenant of the owner when it was made.
    pub tenant: TenantId,
    /// What the owner calls it.
    pub name: String,
    /// What it is for, sorted and without repetition.
    pub scopes: Vec<String>,
    /// Where it may be used from; everywhere if empty.
    pub networks: Vec<IpNet>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends, unless it was made with [`TokenLife::Never`].
    pub expires_at: Option<DateTime<Utc>>,
    /// The last use, recorded at most once a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The address of that use.
    pub last_used_ip: Option<IpAddr>,
    /// The token that takes its place, if it was rotated.
    pub rotated_to: Option<ApiTokenId>,
}

/// A token to be made.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewApiToken {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) networks: Vec<IpNet>,
    pub(crate) life: TokenLife,
}

/// How long a token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLife {
    /// So long, between 1 minute and 10 years, in whole seconds.
    For(Duration),
    /// Until it is revoked.
    Never,
}

/// A token just made, with the only copy of its secret. No `Clone`, no `Display`, and `Debug` shows nothing of it.
pub struct IssuedApiToken {
    secret: Zeroizing<String>,
    token: ApiToken,
}

impl NewApiToken {
    /// A token of `user` that lives for 90 days and may be used from everywhere. `name` is for people; `scopes` are the application's
    /// words, checked by the [`ApiTokenPolicy`].
    pub fn new(user: UserId, name: impl Into<String>, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes = scopes.into_iter().map(Into::into).collect();
        Self { user, name: name.into(), scopes, networks: Vec::new(), life: TokenLife::default() }
    }

    /// How long it lives, instead of 90 days.
    pub fn life(self, life: TokenLife) -> Self {
        Self { life, ..self }
    }

    /// Where it may be used from, at most 32 networks.
    pub fn networks(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().map(|network| network.trunc()).collect(), ..self }
    }
}

impl Default for TokenLife {
    /// 90 days.
    fn default() -> Self {
        Self::For(Duration::from_secs(90 * 86_400))
    }
}

impl IssuedApiToken {
    pub(crate) fn new(secret: Zeroizing<String>, token: ApiToken) -> Self {
        Self { secret, token }
    }

    /// The token without its secret.
    #[must_use]
    pub fn token(&self) -> &ApiToken {
        &self.token
    }

    /// The text for the owner, who cannot be shown it again. The caller must not log it.
    #[must_use]
    pub fn reveal(self) -> Zeroizing<String> {
        self.secret
    }
}

impl From<ApiTokenRecord> for ApiToken {
    fn from(record: ApiTokenRecord) -> Self {
        Self {
            id: record.id,
            user: record.user,
            tenant: record.tenant,
            name: record.name,
            scopes: record.scopes,
            networks: record.networks,
            created_at: record.created_at,
            expires_at: record.expires_at,
            last_used_at: record.last_used_at,
            last_used_ip: record.last_used_ip,
            rotated_to: record.rotated_to,
        }
    }
}

impl fmt::Debug for IssuedApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedApiToken").field("token", &self.token).finish_non_exhaustive()
    }
}
