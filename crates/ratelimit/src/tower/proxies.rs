//! Which address a request is really from.

use std::net::IpAddr;
use std::str;

use http::HeaderMap;
use http::header::FORWARDED;
use ipnet::IpNet;

use crate::error::{Error, Repr};
use crate::tower::forwarded;

/// Elements that are looked at before the search ends: no chain of honest proxies is longer.
const HOPS: usize = 32;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose word about the client's address is believed, and the header in which they give it.
///
/// Every proxy of the list must overwrite or append to the *same* header, and only that one is read: a proxy that writes
/// `X-Forwarded-For` hands on a `Forwarded` of the client's own making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    XForwardedFor,
    Forwarded,
}

impl TrustedProxies {
    /// Nobody: the client is who holds the connection, and no header is read.
    #[must_use]
    pub fn none() -> Self {
        Self { networks: Vec::new(), header: Header::XForwardedFor }
    }

    /// Proxies that append to `X-Forwarded-For`, as networks in CIDR form (`10.0.0.0/8`, `2001:db8::/32`) or single
    /// addresses.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`](crate::ErrorKind::InvalidConfiguration) if one is neither.
    pub fn x_forwarded_for<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        Self::reading(Header::XForwardedFor, networks)
    }

    /// Proxies that append to `Forwarded` (RFC 7239).
    ///
    /// # Errors
    ///
    /// As [`x_forwarded_for`](Self::x_forwarded_for).
    pub fn forwarded<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        Self::reading(Header::Forwarded, networks)
    }

    /// The client's address: from the connection's `peer`, through as many trusted proxies as there are, to the first
    /// address that is not one. All lines of the header are read as one list, from its end.
    ///
    /// A `peer` that is not trusted is the client, whatever it writes. Where a trusted proxy writes something that is no
    /// address (`unknown`, an obfuscated name), the search ends, and the last proxy that is known stands for its client.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        let mut client = peer;
        if !self.trusts(peer) {
            return client;
        }
        let name = match self.header {
            Header::XForwardedFor => http::HeaderName::from_static(X_FORWARDED_FOR),
            Header::Forwarded => FORWARDED,
        };
        let lines: Vec<&[u8]> = headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
        let elements =
            lines.iter().rev().flat_map(|line| forwarded::elements_from_the_end(line, self.header.quoting()));
        for element in elements.take(HOPS) {
            let Some(address) = str::from_utf8(element).ok().and_then(|text| self.header.address(text)) else {
                return client;
            };
            client = address.to_canonical();
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn reading<'a>(header: Header, networks: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let networks = networks.into_iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self { networks, header })
    }

    /// Whether `peer` is one of them: then what it writes into headers that a client does not reach may be believed too.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }
}

impl Header {
    fn quoting(self) -> forwarded::Quoting {
        match self {
            Self::XForwardedFor => forwarded::Quoting::None,
            Self::Forwarded => forwarded::Quoting::Strings,
        }
    }

    fn address(self, element: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => forwarded::node(element.trim_matches([' ', '\t'])),
            Self::Forwarded => forwarded::for_parameter(element),
        }
    }
}

fn network(text: &str) -> Result<IpNet, Error> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    // A mapped network (`::ffff:10.0.0.0/104`) would never meet an address, because addresses are unmapped first.
    let mapped = |network: &IpNet| matches!(network, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some());
    match network {
        Ok(network) if !mapped(&network) => Ok(network),
        _ => Err(Repr::InvalidNetwork { network: text.escape_debug().take(64).collect() }.into()),
    }
}
