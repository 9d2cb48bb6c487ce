//! Networks that a user is known to sign in from.

use std::{fmt, net::IpAddr};

use chrono::{DateTime, TimeDelta, Utc};

/// What identifies a client's network: an IPv4 address, or the first 64 bits of an IPv6 address, which is what one customer of a
/// provider has. An IPv4 address that is mapped into IPv6 is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

/// A network that a user signed in from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownNetwork {
    /// The network.
    pub network: Network,
    /// The first sign-in from it.
    pub first_seen_at: DateTime<Utc>,
    /// The last sign-in from it.
    pub last_seen_at: DateTime<Utc>,
}

/// What a sign-in's network is to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetworkStatus {
    /// The first that the user ever signed in from.
    First,
    /// One of those that the user signed in from lately.
    Known,
    /// Another one.
    New,
}

impl Network {
    /// The address with the host's bits cleared.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.0
    }

    /// How many bits of the address count: 32 or 64.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        match self.0 {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 64,
        }
    }
}

impl KnownNetwork {
    /// For implementors of [`Store`](crate::Store).
    #[must_use]
    pub const fn new(network: Network, first_seen_at: DateTime<Utc>, last_seen_at: DateTime<Utc>) -> Self {
        Self { network, first_seen_at, last_seen_at }
    }
}

impl From<IpAddr> for Network {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Self(IpAddr::from([a, b, c, d, 0, 0, 0, 0]))
            }
            ip => Self(ip),
        }
    }
}

/// How long a network is known after the last sign-in from it.
pub(crate) const fn known_for() -> TimeDelta {
    TimeDelta::days(90)
}

/// How many networks of a user are known.
pub(crate) const KEEP: u32 = 50;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (ip, network) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(Network::from(ip.parse::<IpAddr>().unwrap()).to_string(), network, "{ip}");
        }
    }
}
