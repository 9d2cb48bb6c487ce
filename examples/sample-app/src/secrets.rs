//! The two secrets that the application is started with.

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use stockade::{field_crypto::LocalKeyring, ratelimit::FingerprintKey, session::KeyRing};
use zeroize::Zeroizing;

/// Environment variable with the key-encryption keys: `id:base64[,id:base64 ..]`, the first one current.
pub const FIELD_KEYS: &str = "FIELD_CRYPTO_KEKS";
/// Environment variable with the key under which sessions are stored: base64 of 32 bytes.
pub const SESSION_KEY: &str = "SESSION_KEY";

/// Both secrets, parsed.
#[derive(Debug)]
pub struct Secrets {
    /// Wraps each tenant's data keys.
    pub field_keys: LocalKeyring,
    /// Turns session tokens into what the database holds.
    pub session_keys: KeyRing,
    /// Turns addresses and account names into what limits and their events hold. Derived from the session key, so that
    /// every process has the same.
    pub fingerprints: FingerprintKey,
}

/// Both secrets as text, for the environment. Not `Debug`: this is the one place where they are readable.
#[expect(missing_debug_implementations, reason = "it would print keys")]
pub struct Pair {
    /// The value of [`FIELD_KEYS`].
    pub field_keys: Zeroizing<String>,
    /// The value of [`SESSION_KEY`].
    pub session_key: Zeroizing<String>,
}

impl Pair {
    /// Makes a new pair.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self> {
        let field_keys = Zeroizing::new(format!("k1:{}", random()?.as_str()));
        Ok(Self { field_keys, session_key: random()? })
    }

    /// Reads both from the environment.
    ///
    /// # Errors
    /// When one is missing. They are never invented for a database that outlives the process: what is sealed
    /// under an invented key is lost with it.
    pub fn from_environment() -> Result<Self> {
        let key = |name| {
            std::env::var(name).map(Zeroizing::new).ok().with_context(|| {
                format!("{name} is not set; `cargo run -p sample-app -- keygen` prints a new pair: keep it with the database's backups")
            })
        };
        Ok(Self { field_keys: key(FIELD_KEYS)?, session_key: key(SESSION_KEY)? })
    }

    /// Parses both.
    ///
    /// # Errors
    /// When one is malformed; the message names which, and never repeats it.
    pub fn parse(&self) -> Result<Secrets> {
        let field_keys =
            LocalKeyring::parse(&self.field_keys).with_context(|| format!("{FIELD_KEYS} is not a keyring"))?;
        let key = STANDARD
            .decode(self.session_key.trim())
            .map(Zeroizing::new)
            .with_context(|| format!("{SESSION_KEY} is not base64"))?;
        let session_keys =
            KeyRing::single(1, key.as_slice()).with_context(|| format!("{SESSION_KEY} is not a key of 32 bytes"))?;
        let mut mac = <Hmac<Sha256>>::new_from_slice(&key)?;
        mac.update(b"freight-desk limits v1");
        let fingerprints = FingerprintKey::new(mac.finalize().into_bytes().into());
        Ok(Secrets { field_keys, session_keys, fingerprints })
    }
}

fn random() -> Result<Zeroizing<String>> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(key.as_mut_slice())?;
    Ok(Zeroizing::new(STANDARD.encode(key.as_slice())))
}
