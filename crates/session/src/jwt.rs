//! Sessions in the form of a JSON Web Token (RFC 7519): a signed envelope of the session's name, not a second source of truth.

mod act;
mod claims;
mod compact;
mod policy;
mod reader;

use std::fmt;

use zeroize::Zeroizing;

use crate::token::RefreshToken;

pub use act::JwtCaller;
pub(crate) use act::{ActClaims, decode_act, encode_act};
pub use claims::Claims;
pub(crate) use claims::{decode, encode, fingerprint};
pub(crate) use compact::{open, seal};
pub use policy::{JwtCheck, JwtPolicy};

/// A token to use and one to renew it, just made. The caller must not log either.
pub struct JwtPair {
    pub(crate) access: Zeroizing<String>,
    pub(crate) refresh: RefreshToken,
}

/// The outcome of a renewal.
#[derive(Debug)]
#[must_use]
pub enum JwtRefresh {
    /// A new pair; the old refresh token is used up.
    Renewed(JwtPair),
    /// The refresh token is unknown, its session is over, or it was used before, in which case its session is over now.
    Rejected,
}

impl JwtPair {
    /// The token for `Authorization: Bearer`.
    #[must_use]
    pub fn access(&self) -> &str {
        &self.access
    }

    /// The token for [`Jwts::refresh`](crate::Jwts::refresh), to be used once.
    #[must_use]
    pub fn refresh(&self) -> &RefreshToken {
        &self.refresh
    }
}

impl fmt::Debug for JwtPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtPair(..)")
    }
}
