//! Who is asking.

use std::net::IpAddr;

/// Where a sign-in comes from, as the web layer knows it. Recorded with the session and in events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// The address of the client. Behind a proxy, take it from a header only if the proxy is trusted.
    pub ip: IpAddr,
    /// The `User-Agent` header. The first 256 characters are kept with the session.
    pub user_agent: Option<String>,
}

impl ClientInfo {
    pub(crate) fn short_user_agent(&self) -> Option<String> {
        // PostgreSQL's text cannot hold the character NUL.
        self.user_agent.as_ref().map(|agent| agent.chars().filter(|c| !c.is_control()).take(256).collect())
    }
}
