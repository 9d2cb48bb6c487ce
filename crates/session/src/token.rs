//! Opaque tokens: what the client holds.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    key::{KeyRing, Purpose},
    store::Digest,
};

/// One byte for the key and 256 random bits.
const LENGTH: usize = 33;
const TEXT_LENGTH: usize = 44;

macro_rules! token {
    ($(#[$doc:meta])* $name:ident, $purpose:expr) => {
        $(#[$doc])*
        ///
        /// 44 characters of base64url. No `Display`, no comparison, and `Debug` shows nothing of it.
        pub struct $name(Zeroizing<[u8; LENGTH]>);

        impl $name {
            pub(crate) fn generate(keys: &KeyRing) -> Result<Self> {
                generate(keys.active_id()).map(Self)
            }

            pub(crate) fn digest(&self, keys: &KeyRing) -> Option<Digest> {
                keys.digest(*self.0.first()?, $purpose, self.0.as_slice())
            }

            /// The text for the client. The caller must not log it.
            #[must_use]
            pub fn expose(&self) -> Zeroizing<String> {
                Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// `InvalidInput` if the text cannot be a token. Whether it is one, only the store knows.
            fn from_str(text: &str) -> Result<Self> {
                parse(text).map(Self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

token! {
    /// The token of a session.
    SessionToken, Purpose::Session
}
token! {
    /// The token of a sign-in that waits for its second factor. It is no [`SessionToken`] and cannot become one.
    PendingToken, Purpose::Pending
}

token! {
    /// Lets whoever has it choose a new password once. It belongs into a message to the owner of the account.
    ResetToken, Purpose::Reset
}
token! {
    /// Confirms one side of a change of identifier.
    IdentifierToken, Purpose::Identifier
}
token! {
    /// The token of an impersonation. It shows nothing without the session that it was made for.
    ImpersonationToken, Purpose::Impersonation
}

impl PendingToken {
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

fn generate(key_id: u8) -> Result<Zeroizing<[u8; LENGTH]>> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    let (id, secret) = bytes.split_at_mut(1);
    id.fill(key_id);
    getrandom::fill(secret).map_err(Error::random)?;
    Ok(bytes)
}

fn parse(text: &str) -> Result<Zeroizing<[u8; LENGTH]>> {
    let malformed = || Error::invalid("malformed token");
    let mut bytes = Zeroizing::new([0; LENGTH]);
    if text.len() != TEXT_LENGTH {
        return Err(malformed());
    }
    match URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()) {
        Ok(LENGTH) => Ok(bytes),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring() -> KeyRing {
        KeyRing::single(7, (0..32).collect::<Vec<u8>>()).unwrap()
    }

    #[test]
    fn tokens_differ_and_carry_their_key() {
        let (a, b) = (SessionToken::generate(&ring()).unwrap(), SessionToken::generate(&ring()).unwrap());
        assert_ne!(a.0, b.0);
        assert_eq!(a.0[0], 7);
        assert_ne!(a.0[1..], [0; 32]);
    }

    #[test]
    fn same_text_differs_by_type() {
        let session = SessionToken::generate(&ring()).unwrap();
        let pending: PendingToken = session.expose().parse().unwrap();
        assert_ne!(session.digest(&ring()).unwrap().as_bytes(), pending.digest(&ring()).unwrap().as_bytes());
    }

    #[test]
    fn debug_shows_no_token() {
        let token = SessionToken::generate(&ring()).unwrap();
        assert_eq!(format!("{token:?}"), "SessionToken(..)");
    }

    proptest! {
        /// One text for one token: whatever parses is printed back unchanged.
        #[test]
        fn parsing_is_canonical(text in "[A-Za-z0-9_=-]{42,46}|\\PC*") {
            if let Ok(token) = text.parse::<SessionToken>() {
                prop_assert_eq!(&*token.expose(), &text);
            }
        }

        #[test]
        fn round_trip(bytes in proptest::array::uniform32(any::<u8>()), id: u8) {
            let mut whole = Zeroizing::new([id; LENGTH]);
            whole[1..].copy_from_slice(&bytes);
            let token = SessionToken(whole.clone());
            prop_assert_eq!(token.expose().parse::<SessionToken>().unwrap().0, whole);
        }
    }
}
