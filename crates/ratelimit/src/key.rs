//! Who or what is being limited.

use std::fmt;
use std::net::IpAddr;

/// The subject of a limit: an address, an account, a tenant, or several of them together.
///
/// Every kind has its own domain: `Key::text("7")`, `Key::account("7")` and `Key::bytes(b"7")` are three subjects, and
/// no text that a client sends can make one kind look like another, because kind and length are part of the key. The
/// limiter stores no key, only a keyed 128-bit hash; `Debug` shows no key either.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    encoded: Box<[u8]>,
}

impl Key {
    /// A client address: IPv4 as a whole (/32), IPv6 by its /64, which is what one customer of a provider controls
    /// (RFC 6177, RFC 4291 section 2.5.4). An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address.
    ///
    /// Give the address of the connection, or one that a trusted proxy vouches for: an address that the client can
    /// write itself (`X-Forwarded-For` from anybody) gives it as many limits as it likes.
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::part(Kind::Ipv4, &v4.octets()),
            IpAddr::V6(v6) => Self::part(Kind::Ipv6, &(v6.to_bits() >> 64).to_be_bytes()),
        }
    }

    /// The name somebody signs in with. White space around it and upper case are folded away, so that `Ana@acme.test `
    /// and `ana@acme.test` share one limit. A system that treats more spellings as one account (dots, Unicode forms)
    /// folds those first, or an attacker gets one limit per spelling.
    #[must_use]
    pub fn account(name: &str) -> Self {
        Self::part(Kind::Account, name.trim().to_lowercase().as_bytes())
    }

    /// A user's identifier, such as a `Uuid`.
    #[must_use]
    pub fn user(id: impl AsRef<[u8]>) -> Self {
        Self::part(Kind::User, id.as_ref())
    }

    /// A tenant's identifier, such as a `Uuid`.
    #[must_use]
    pub fn tenant(id: impl AsRef<[u8]>) -> Self {
        Self::part(Kind::Tenant, id.as_ref())
    }

    /// Any text, compared byte by byte: a route, a plan.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::part(Kind::Text, text.as_bytes())
    }

    /// Any bytes: the hash of an API token.
    #[must_use]
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::part(Kind::Bytes, bytes.as_ref())
    }

    /// Both together, as one subject: `Key::tenant(t).and(&Key::text("GET /export"))`. The order matters.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { encoded: [&*self.encoded, &*other.encoded].concat().into_boxed_slice() }
    }

    /// Kind, length, bytes; then the next part. No two lists of parts have the same encoding.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    fn part(kind: Kind, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes();
        Self { encoded: [&[kind as u8], &length[..], bytes].concat().into_boxed_slice() }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The domains. The numbers are part of every fingerprint, so they never change meaning.
#[derive(Clone, Copy)]
enum Kind {
    Ipv4 = 1,
    Ipv6 = 2,
    Account = 3,
    User = 4,
    Tenant = 5,
    Text = 6,
    Bytes = 7,
}
