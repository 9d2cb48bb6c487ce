//! Who a request is from.

use std::fmt;
use std::net::IpAddr;

use crate::key::{Ipv6Prefix, Key};
use crate::route::{By, Route};

/// What is known of a request's sender: the one thing that an application tells the layer.
///
/// Each part is a type of its own, and what is not known is absent. The address is that of the connection, or the one
/// that [`TrustedProxies::client`](super::TrustedProxies::client) finds.
#[derive(Clone, Default)]
pub struct Subject {
    ip: Option<IpAddr>,
    account: Option<Key>,
    user: Option<Key>,
    tenant: Option<Key>,
    token: Option<Key>,
}

impl Subject {
    /// Nobody in particular: only rules for the route as a whole apply.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// The client at `address`.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { ip: Some(address), ..Self::default() }
    }

    /// And the name somebody signs in with, where it stands outside the body.
    #[must_use]
    pub fn with_account(self, name: &str) -> Self {
        Self { account: Some(Key::account(name)), ..self }
    }

    /// And the user that the request has proved to be from.
    #[must_use]
    pub fn with_user(self, id: impl AsRef<[u8]>) -> Self {
        Self { user: Some(Key::user(id)), ..self }
    }

    /// And the tenant that the request has proved to belong to.
    #[must_use]
    pub fn with_tenant(self, id: impl AsRef<[u8]>) -> Self {
        Self { tenant: Some(Key::tenant(id)), ..self }
    }

    /// And the identifier (or hash) of the API token that the request has proved to hold.
    #[must_use]
    pub fn with_token(self, id: impl AsRef<[u8]>) -> Self {
        Self { token: Some(Key::bytes(id)), ..self }
    }

    /// The key of all of `by` together, if all are known.
    pub(super) fn key(&self, by: &[By], route: &Route) -> Option<Key> {
        let mut parts = by.iter().map(|by| self.part(*by, route));
        let first = parts.next()??;
        parts.try_fold(first, |key, part| Some(key.and(&part?)))
    }

    fn part(&self, by: By, route: &Route) -> Option<Key> {
        let network = |width| self.ip.map(|ip| Key::network(ip, width));
        match by {
            By::Ip => network(Ipv6Prefix::P64),
            By::Ip56 => network(Ipv6Prefix::P56),
            By::Ip48 => network(Ipv6Prefix::P48),
            By::Account => self.account.clone(),
            By::User => self.user.clone(),
            By::Tenant => self.tenant.clone(),
            By::Token => self.token.clone(),
            By::Route => Some(Key::text(route.name())),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(..)")
    }
}
