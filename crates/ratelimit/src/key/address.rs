//! From an address to the network that is limited.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How much of an IPv6 address counts as one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ipv6Prefix {
    /// One link: the least that a customer gets.
    P64,
    /// What most home connections get (RFC 6177).
    P56,
    /// What a company's site gets.
    P48,
}

impl Ipv6Prefix {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::P64 => 8,
            Self::P56 => 7,
            Self::P48 => 6,
        }
    }
}

/// The address that tells clients apart: an IPv4 address that is written in IPv6 comes out, so that a client with one
/// IPv4 address has one limit, whichever way its packets took.
pub(super) fn of_client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => inner_ipv4(v6).map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn inner_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // The well-known prefix of NAT64, RFC 6052 section 2.1.
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        // 6to4, RFC 3056 section 2.
        [0x2002, high, low, ..] => Some(v4(high, low)),
        // Teredo: the client's address with every bit inverted, RFC 4380 section 4.
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}
