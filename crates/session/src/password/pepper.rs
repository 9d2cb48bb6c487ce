//! A secret that is not in the database.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha384;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

type HmacSha384 = Hmac<Sha384>;

const MARK: &str = "$pepper$";

/// The peppers of password hashes: one for new ones, others that still verify. Each hash carries the id of its pepper, so a new pepper
/// spreads as people sign in. Who drops a pepper locks out everybody whose hash has it; they need a reset.
pub struct Peppers {
    active: u8,
    keys: BTreeMap<u8, HmacSha384>,
}

impl Peppers {
    /// A ring of one pepper.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the key has fewer than 32 bytes, or if all its bytes are equal, as in a placeholder.
    pub fn single(id: u8, key: impl AsRef<[u8]>) -> Result<Self> {
        Ok(Self { active: id, keys: BTreeMap::from([(id, keyed(key.as_ref())?)]) })
    }

    /// Adds a pepper that is on no new hash.
    ///
    /// # Errors
    ///
    /// `InvalidInput` as for [`single`](Self::single), or if the ring has this `id`.
    pub fn verify_only(mut self, id: u8, key: impl AsRef<[u8]>) -> Result<Self> {
        match self.keys.insert(id, keyed(key.as_ref())?) {
            None => Ok(self),
            Some(_) => Err(Error::invalid("there is a pepper with this id")),
        }
    }

    /// What stands before a hash with the active pepper. The hash begins with `$`.
    pub(super) fn prefix(&self) -> String {
        format!("{MARK}{}", self.active)
    }

    /// The id before a hash, and the hash.
    pub(super) fn split(text: &str) -> Option<(u8, &str)> {
        let rest = text.strip_prefix(MARK)?;
        let (id, hash) = rest.split_at_checked(rest.find('$')?)?;
        let parsed: u8 = id.parse().ok()?;
        (parsed.to_string() == id).then_some((parsed, hash))
    }

    pub(super) fn has(&self, id: u8) -> bool {
        self.keys.contains_key(&id)
    }

    pub(super) fn active(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        self.of(self.active, password)
    }

    /// 64 characters, which bcrypt takes in full, and none of which is NUL. Nothing for an unknown id, which no caller asks for.
    pub(super) fn of(&self, id: u8, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let mac = self.keys.get(&id).map(|key| key.clone().chain_update(password).finalize().into_bytes());
        Zeroizing::new(mac.map(|mac| STANDARD_NO_PAD.encode(mac).into_bytes()).unwrap_or_default())
    }
}

fn keyed(key: &[u8]) -> Result<HmacSha384> {
    if key.len() < 32 || key.iter().all(|byte| Some(byte) == key.first()) {
        return Err(Error::invalid("a pepper has at least 32 bytes and is no placeholder"));
    }
    HmacSha384::new_from_slice(key).map_err(|_| Error::invalid("the pepper has an impossible length"))
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peppers")
            .field("active", &self.active)
            .field("ids", &self.keys.keys().collect::<Vec<_>>())
            .finish()
    }
}
