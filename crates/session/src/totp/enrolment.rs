//! What a user needs to set up an authenticator app.

use std::fmt;

use totp_rs::Builder;
use zeroize::Zeroizing;

use super::TotpSeed;
use crate::error::{Error, Result};

/// A seed that waits for its first code. Show it once, over TLS, with `Cache-Control: no-store`.
pub struct Enrolment {
    uri: Zeroizing<String>,
    base32: Zeroizing<String>,
}

/// The outcome of [`Auth::confirm_totp`](crate::Auth::confirm_totp).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The factor is active, and every session of the user has ended.
    Activated,
    /// The code is wrong, or no enrolment is waiting.
    Rejected,
}

impl Enrolment {
    pub(crate) fn new(seed: &TotpSeed, issuer: &str, account: &str) -> Result<Self> {
        let failed = |_| Error::configuration("the totp issuer cannot be part of a uri");
        // The format separates issuer and account by a colon and has no escape for it.
        let uri = Builder::new()
            .with_secret(seed.bytes())
            .with_issuer(Some(issuer))
            .with_account_name(account.replace(':', "."))
            .build()
            .and_then(|totp| totp.to_url())
            .map_err(failed)?;
        Ok(Self { uri: Zeroizing::new(uri), base32: seed.to_base32()? })
    }

    /// The `otpauth://` URI to show as a QR code. It contains the seed.
    #[must_use]
    pub fn otpauth_uri(&self) -> &str {
        &self.uri
    }

    /// The seed in base32, for typing it in.
    #[must_use]
    pub fn secret_base32(&self) -> &str {
        &self.base32
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enrolment(..)")
    }
}
