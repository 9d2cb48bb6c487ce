//! Devices that a user signed in on.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    id::UserId,
    key::{KeyRing, Purpose},
};

/// The key's id, seconds since 1970, the device, and the tag over the rest and the user.
const LENGTH: usize = 1 + 8 + 16 + 32;
const TEXT_LENGTH: usize = 76;

/// Says that a user signed in on this device before. It opens nothing: a sign-in that brings one keeps a count of failures of its own, so
/// that failures elsewhere cannot lock its owner out (the device cookies of the OWASP Authentication Cheat Sheet).
///
/// It names no user, is bound to one, and counts for 180 days. No `Display`, no comparison, and `Debug` shows nothing of it.
pub struct DeviceToken(Zeroizing<[u8; LENGTH]>);

/// How long a device is known.
pub(crate) const DEVICE_DAYS: i64 = 180;

impl DeviceToken {
    #[cfg(feature = "tower")]
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn generate(keys: &KeyRing, user: UserId, now: DateTime<Utc>) -> Result<Self> {
        let mut device = [0; 16];
        getrandom::fill(&mut device).map_err(Error::random)?;
        let since = now.timestamp().to_be_bytes();
        let id = keys.active_id();
        let tag = tag(keys, id, &since, &device, user).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let parts = [&[id][..], &since, &device, &tag];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        Ok(Self(bytes))
    }

    /// The device, if the token was made for this user by a key of the ring, lately.
    pub(crate) fn device_of(&self, keys: &KeyRing, user: UserId, now: DateTime<Utc>) -> Option<[u8; 16]> {
        let (&id, rest) = self.0.split_first()?;
        let (since, rest) = rest.split_first_chunk::<8>()?;
        let (device, given) = rest.split_first_chunk::<16>()?;
        let genuine = bool::from(tag(keys, id, since, device, user)?.ct_eq(given));
        let since = DateTime::from_timestamp(i64::from_be_bytes(*since), 0)?;
        let age = now.signed_duration_since(since);
        (genuine && age < TimeDelta::days(DEVICE_DAYS)).then_some(*device)
    }

    /// The text for the client. The caller must not log it.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }
}

fn tag(keys: &KeyRing, id: u8, since: &[u8; 8], device: &[u8; 16], user: UserId) -> Option<[u8; 32]> {
    let message = [&[id][..], since, device, user.as_uuid().as_bytes()].concat();
    Some(*keys.digest(id, Purpose::Device, &message)?.as_bytes())
}

impl FromStr for DeviceToken {
    type Err = Error;

    /// `InvalidInput` if the text cannot be a token.
    fn from_str(text: &str) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        let decoded = (text.len() == TEXT_LENGTH).then(|| URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()));
        match decoded {
            Some(Ok(LENGTH)) => Ok(Self(bytes)),
            _ => Err(Error::invalid("malformed token")),
        }
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn ring(id: u8) -> KeyRing {
        KeyRing::single(id, (id..id + 32).collect::<Vec<u8>>()).unwrap()
    }

    fn user(id: u128) -> UserId {
        Uuid::from_u128(id).into()
    }

    #[test]
    fn token_is_bound_to_user_key_and_time() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let token = DeviceToken::generate(&ring(1), user(1), now).unwrap();
        let text = token.expose();
        let token: DeviceToken = text.parse().unwrap();
        assert!(token.device_of(&ring(1), user(1), now).is_some());
        assert!(token.device_of(&ring(1), user(2), now).is_none());
        assert!(token.device_of(&ring(2), user(1), now).is_none());
        let old = now + TimeDelta::days(DEVICE_DAYS);
        assert!(token.device_of(&ring(1), user(1), old).is_none());
        assert!(token.device_of(&ring(1), user(1), old - TimeDelta::seconds(1)).is_some());
        let rotated = ring(2).verify_only(1, (1..33).collect::<Vec<u8>>()).unwrap();
        assert!(token.device_of(&rotated, user(1), now).is_some());
        assert_eq!(format!("{token:?}"), "DeviceToken(..)");
    }

    proptest! {
        #[test]
        fn any_change_voids_it(position in 0..LENGTH, flip in 1_u8..) {
            let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
            let mut token = DeviceToken::generate(&ring(1), user(1), now).unwrap();
            token.0[position] ^= flip;
            prop_assert!(token.device_of(&ring(1), user(1), now).is_none());
        }

        #[test]
        fn parsing_never_panics(text in "[A-Za-z0-9_=-]{74,78}|\\PC*") {
            if let Ok(token) = text.parse::<DeviceToken>() {
                prop_assert_eq!(&*token.expose(), &text);
                let _ = token.device_of(&ring(1), user(1), DateTime::UNIX_EPOCH);
            }
        }
    }
}
