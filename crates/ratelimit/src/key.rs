//! Who or what is being limited.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

pub use self::address::Ipv6Prefix;

mod address;

/// The subject of a limit: an address, an account, a tenant, or several of them together.
///
/// Every kind has its own domain: `Key::text("7")`, `Key::account("7")` and `Key::bytes(b"7")` are three subjects, and
/// no text that a client sends can make one kind look like another, because kind and length are part of the key. The
/// limiter stores no key, only a keyed 128-bit hash; `Debug` shows no key either.
#[derive(Clone)]
pub struct Key {
    encoded: Encoded,
}

/// Kind, length, bytes; then the next part. No two lists of parts have the same encoding.
#[derive(Clone)]
enum Encoded {
    /// Most keys are short, and need no memory of their own.
    Short {
        bytes: [u8; SHORT],
        length: u8,
    },
    Long(Box<[u8]>),
}

/// Room for two UUIDs with their kinds and lengths.
const SHORT: usize = 54;

impl Key {
    /// A client address: IPv4 as a whole (/32), IPv6 by its /64, which is the least that one customer of a provider
    /// controls (RFC 6177, RFC 4291 section 2.5.4). An IPv6 address that stands for an IPv4 one is that one: mapped
    /// (`::ffff:192.0.2.1`), NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo (RFC 4380).
    ///
    /// Give the address of the connection, or one that a trusted proxy vouches for: an address that the client can
    /// write itself (`X-Forwarded-For` from anybody) gives it as many limits as it likes.
    #[inline]
    #[must_use]
    pub fn ip(address: IpAddr) -> Self {
        Self::network(address, Ipv6Prefix::P64)
    }

    /// A client address by a wider network. A customer may hold a /56 or a /48, and with it 256 or 65,536 of the
    /// networks that [`ip`](Self::ip) counts apart: put rules of several widths side by side, the wider with the higher
    /// limit. IPv4 is a /32 whatever the width, as in [`ip`](Self::ip).
    #[inline]
    #[must_use]
    pub fn network(address: IpAddr, width: Ipv6Prefix) -> Self {
        match address::of_client(address) {
            IpAddr::V4(v4) => Self::part(Kind::Ipv4, &v4.octets()),
            IpAddr::V6(v6) => {
                let network: Vec<u8> = v6.octets().into_iter().take(width.bytes()).collect();
                Self::part(Kind::Ipv6, &network)
            }
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
    #[inline]
    #[must_use]
    pub fn user(id: impl AsRef<[u8]>) -> Self {
        Self::part(Kind::User, id.as_ref())
    }

    /// A tenant's identifier, such as a `Uuid`.
    #[inline]
    #[must_use]
    pub fn tenant(id: impl AsRef<[u8]>) -> Self {
        Self::part(Kind::Tenant, id.as_ref())
    }

    /// Any text, compared byte by byte: a route, a plan.
    #[inline]
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::part(Kind::Text, text.as_bytes())
    }

    /// Any bytes: the hash of an API token.
    #[inline]
    #[must_use]
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        Self::part(Kind::Bytes, bytes.as_ref())
    }

    /// This account as it is reached from `client`. Give a [lockout](crate::Rule::lockout) rule this key: then somebody
    /// who guesses from anywhere locks out the clients that nobody knows, and not the owner at a device that has signed
    /// in before (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
    #[must_use]
    pub fn seen_from(&self, client: Client<'_>) -> Self {
        match client {
            Client::Unknown => self.clone(),
            Client::Known(device) => self.and(&Self::part(Kind::Device, device)),
        }
    }

    /// Both together, as one subject: `Key::tenant(t).and(&Key::text("GET /export"))`. The order matters.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self::concat([self.encoded(), other.encoded(), &[]])
    }

    #[inline]
    pub(crate) fn encoded(&self) -> &[u8] {
        match &self.encoded {
            Encoded::Short { bytes, length } => bytes.get(..usize::from(*length)).unwrap_or(bytes),
            Encoded::Long(bytes) => bytes,
        }
    }

    // Where the length is known to the compiler, which it is of most identifiers, a key is made without a loop or a call.
    #[inline]
    fn part(kind: Kind, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes();
        Self::concat([&[kind as u8], &length, bytes])
    }

    #[inline]
    fn concat(parts: [&[u8]; 3]) -> Self {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut short = [0; SHORT];
        let encoded = match (short.get_mut(..length), u8::try_from(length)) {
            (Some(mut rest), Ok(length)) => {
                for part in parts {
                    let (head, tail) = rest.split_at_mut(part.len());
                    head.copy_from_slice(part);
                    rest = tail;
                }
                Encoded::Short { bytes: short, length }
            }
            _ => Encoded::Long(parts.concat().into_boxed_slice()),
        };
        Self { encoded }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.encoded() == other.encoded()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.encoded().hash(state);
    }
}

/// Where an attempt to sign in to an account comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client<'a> {
    /// Any client without proof of an earlier sign-in. All of them share one count.
    Unknown,
    /// A device that has proved that this very account signed in on it before, by a cookie whose signature or hash has
    /// been verified; with the device's identifier. It has a count of its own. An identifier that the client can
    /// invent would give it as many counts as it likes.
    Known(&'a [u8]),
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Known(_) => "Known(..)",
        })
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
    Device = 16,
}
