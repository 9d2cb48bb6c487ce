//! A request that carries an API token.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::ApiTokens;
use crate::{
    api_token::{ApiToken, Presented},
    client::ClientInfo,
    error::Result,
    event::{ApiTokenRefusal, SecurityEvent},
    key::Purpose,
    store::{ApiTokenLookup, ApiTokenVerifier, FoundApiToken},
};

/// How stale the last use may become before it is written again.
const TOUCH: TimeDelta = TimeDelta::seconds(60);
/// How many networks are remembered for each token.
const NETWORKS: usize = 32;

impl ApiTokens<'_> {
    /// The live token behind what a client sent, for example after `Authorization: Bearer`. Nothing if it is no live token, for
    /// whatever reason; the event says which. What has another form or a wrong check value costs no query and makes no event.
    ///
    /// One query, and a write at most once a minute and for each new network (IPv4 /32, IPv6 /64).
    ///
    /// # Errors
    ///
    /// `Configuration` without an [`ApiTokenPolicy`](crate::ApiTokenPolicy); `Store`.
    pub async fn authenticate(&self, text: &str, client: &ClientInfo) -> Result<Option<ApiToken>> {
        let Some(presented) = Presented::parse(self.policy()?, text) else { return Ok(None) };
        let found = self.0.store.api_token(ApiTokenLookup::Id(presented.id)).await?;
        let proved = found.as_ref().is_some_and(|found| self.proves(&found.token.verifier, presented.body()));
        self.admit(found, proved, presented.body(), client).await
    }

    fn proves(&self, verifier: &ApiTokenVerifier, body: &[u8]) -> bool {
        let ApiTokenVerifier::Keyed { key, digest } = verifier else { return false };
        self.0.keys.digest(*key, Purpose::ApiToken, body).is_some_and(|computed| computed.is(digest))
    }

    /// Judges a token whose secret was compared, and records its use.
    async fn admit(
        &self,
        found: Option<FoundApiToken>,
        proved: bool,
        body: &[u8],
        client: &ClientInfo,
    ) -> Result<Option<ApiToken>> {
        let now = self.0.now();
        let ip = client.ip.to_canonical();
        let refusal = match &found {
            None => Some(ApiTokenRefusal::Unknown),
            Some(_) if !proved => Some(ApiTokenRefusal::WrongSecret),
            Some(found) => judge(found, ip, now),
        };
        let (token, refusal) = (found.map(|found| found.token), refusal);
        if let Some(reason) = refusal {
            let token = token.map(|token| (token.id, token.user, token.tenant));
            self.0.emit(&SecurityEvent::ApiTokenRefused { token, reason, client: client.clone() });
            return Ok(None);
        }
        let Some(mut token) = token else { return Ok(None) };
        let current = self.keyed(body);
        let ApiTokenVerifier::Keyed { key: active, .. } = &current else { return Ok(None) };
        if !matches!(&token.verifier, ApiTokenVerifier::Keyed { key, .. } if key == active) {
            self.0.store.replace_api_token_verifier(token.id, &token.verifier, &current).await?;
        }
        if !token.seen.contains(&network(ip))
            && self.0.store.note_api_token_network(token.id, network(ip), NETWORKS).await?
            && !token.seen.is_empty()
        {
            let (id, user, tenant) = (token.id, token.user, token.tenant);
            self.0.emit(&SecurityEvent::ApiTokenNewNetwork { id, user, tenant, client: client.clone() });
        }
        if token.last_used_at.is_none_or(|at| at <= now - TOUCH)
            && self.0.store.touch_api_token(token.id, now, ip, now - TOUCH).await?
        {
            (token.last_used_at, token.last_used_ip) = (Some(now), Some(ip));
        }
        Ok(Some(token.into()))
    }
}

/// Why a token whose secret was right is refused. A revoked one comes first: that is somebody to look at.
fn judge(found: &FoundApiToken, ip: IpAddr, now: DateTime<Utc>) -> Option<ApiTokenRefusal> {
    let token = &found.token;
    let checks = [
        (token.revoked_at.is_some(), ApiTokenRefusal::Revoked),
        (token.expires_at.is_some_and(|end| end <= now), ApiTokenRefusal::Expired),
        (!found.owner_is_active, ApiTokenRefusal::OwnerInactive),
        (!token.networks.is_empty() && !token.networks.iter().any(|net| net.contains(&ip)), ApiTokenRefusal::Network),
    ];
    checks.into_iter().find_map(|(holds, refusal)| holds.then_some(refusal))
}

/// What counts as one place: an IPv4 address, or the /64 of an IPv6 address, which one household or server usually has to itself.
fn network(ip: IpAddr) -> IpNet {
    match ip {
        IpAddr::V4(ip) => Ipv4Net::from(ip).into(),
        IpAddr::V6(ip) => Ipv6Net::new(ip, 64).map_or(Ipv6Net::from(ip), |net| net.trunc()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_64() {
        let network = |ip: &str| network(ip.parse().unwrap()).to_string();
        assert_eq!(network("203.0.113.7"), "203.0.113.7/32");
        assert_eq!(network("2001:db8::1:2:3:4"), "2001:db8::/64");
    }
}
