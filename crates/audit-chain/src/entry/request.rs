//! Where a request came from and how it was answered.

use std::{fmt, net::IpAddr};

/// The HTTP request that led to an entry. Every part is optional.
///
/// IP address and user agent are personal values: they are stored apart, under commitments.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestContext {
    pub(crate) ip: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
}

impl RequestContext {
    /// A context in which nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The client's address. An IPv4-mapped IPv6 address is recorded as the IPv4 address it stands
    /// for (RFC 4291, 2.5.5.2).
    #[must_use]
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ip = Some(ip.into().to_canonical());
        self
    }

    /// The `User-Agent` header.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// The method and the route template, such as `"POST", "/loads/{id}"`: the template, because
    /// paths hold ids and query strings hold secrets.
    #[must_use]
    pub fn endpoint(mut self, method: impl fmt::Display, template: impl Into<String>) -> Self {
        self.method = Some(method.to_string());
        self.endpoint = Some(template.into());
        self
    }

    /// The HTTP status of the answer, 100 to 999.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The id that ties the entry to the application's own logs.
    #[must_use]
    pub fn request_id(mut self, id: impl fmt::Display) -> Self {
        self.request_id = Some(id.to_string());
        self
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("method", &self.method)
            .field("endpoint", &self.endpoint)
            .field("status", &self.status)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}
