//! Invitations, their tokens and the addresses they go to.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::{Error, Fault};
use crate::ident::{TenantId, UserId};
use crate::reason::Reason;

/// An invitation, as it is stored: without its token, of which only a hash is kept and which nobody can read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invitation {
    /// Which one.
    pub id: Uuid,
    /// To which tenant.
    pub tenant: TenantId,
    /// For whom.
    pub email: Email,
    /// With which role.
    pub role: String,
    /// Who invited.
    pub invited_by: UserId,
    /// When.
    pub invited_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The first moment at which it cannot be accepted any more.
    pub expires_at: DateTime<Utc>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Nothing yet. It may have expired.
    Open,
    /// Somebody came.
    Accepted {
        /// Who.
        by: UserId,
        /// When.
        at: DateTime<Utc>,
    },
    /// It was withdrawn.
    Withdrawn {
        /// By whom.
        by: UserId,
        /// When.
        at: DateTime<Utc>,
    },
}

/// An e-mail address as it is compared: without white space around it, in lower case.
///
/// Personal data: it has no debug form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An address that stands in the database.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for Email {
    type Err = Error;

    /// [`ErrorKind::InvalidEmail`](crate::ErrorKind::InvalidEmail) unless there is something on both sides of an `@`, in at most 254
    /// bytes without white space and control characters. Whether it can be reached, only a message to it tells.
    fn from_str(text: &str) -> Result<Self, Error> {
        let email = text.trim().to_lowercase();
        let sides = email.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !sides || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Fault::Email.into());
        }
        Ok(Self(email))
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

/// The tenant and 32 random bytes.
pub(super) struct InvitationToken(Zeroizing<[u8; 48]>);

impl InvitationToken {
    pub(super) fn generate(tenant: TenantId) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 48]);
        let (of_tenant, secret) = bytes.split_at_mut(16);
        of_tenant.copy_from_slice(tenant.as_uuid().as_bytes());
        getrandom::fill(secret).map_err(Fault::Random)?;
        Ok(Self(bytes))
    }

    pub(super) fn parse(text: &SecretString) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; 48]);
        match URL_SAFE_NO_PAD.decode_slice(text.expose_secret(), bytes.as_mut_slice()) {
            Ok(48) => Ok(Self(bytes)),
            _ => Err(Fault::Token.into()),
        }
    }

    pub(super) fn text(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.0.as_slice()).into()
    }

    /// What is stored. 256 random bits need neither a salt nor a slow hash.
    pub(super) fn hash(&self) -> Vec<u8> {
        Sha256::new().chain_update(b"stockade-rbac invitation").chain_update(self.0.as_slice()).finalize().to_vec()
    }

    fn tenant(&self) -> TenantId {
        let (of_tenant, _) = self.0.split_at(16);
        Uuid::from_slice(of_tenant).unwrap_or_default().into()
    }
}

/// The tenant that the token of an invitation says it is for: set it, and ask. The token may be made up.
///
/// # Errors
///
/// [`ErrorKind::InvalidToken`](crate::ErrorKind::InvalidToken) if the text is not that of a token.
pub fn invited_to(token: &SecretString) -> Result<TenantId, Error> {
    InvitationToken::parse(token).map(|token| token.tenant())
}
