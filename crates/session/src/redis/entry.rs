//! A session as it is kept in Redis: readable, and sealed with a mac over the token's digest, so that nobody without a key of the
//! ring can make one, change one or put one under another token.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Mac;
use uuid::Uuid;

use super::names::Name;
use crate::{
    key::HmacSha256,
    session::Assurance,
    store::{Digest, SessionRecord, Versions},
};

const FORMAT: u8 = 1;
/// Four stamps of 24 bytes, which the server puts between the names and what is sealed.
const STAMPS: usize = 96;

/// What was found, and when the look began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) looked_at: DateTime<Utc>,
    pub(super) record: SessionRecord,
}

/// The mac and the record.
pub(super) fn seal(mac: &HmacSha256, digest: &Digest, names: &[Name; 4], entry: &Entry) -> Vec<u8> {
    let body = encode(entry);
    let mut sealed = tagged(mac, digest, names.as_flattened(), &body).finalize().into_bytes().to_vec();
    sealed.extend(body);
    sealed
}

/// The record, if all of it was sealed for this token.
pub(super) fn open(mac: &HmacSha256, digest: &Digest, stored: &[u8]) -> Option<Entry> {
    let (names, rest) = stored.split_at_checked(64)?;
    let (_, rest) = rest.split_at_checked(STAMPS)?;
    let (tag, body) = rest.split_at_checked(32)?;
    tagged(mac, digest, names, body).verify_slice(tag).ok()?;
    decode(body)
}

fn tagged(mac: &HmacSha256, digest: &Digest, names: &[u8], body: &[u8]) -> HmacSha256 {
    mac.clone().chain_update(b"v").chain_update(digest.as_bytes()).chain_update(names).chain_update(body)
}

fn encode(Entry { looked_at, record }: &Entry) -> Vec<u8> {
    let micros = |time: DateTime<Utc>| time.timestamp_micros().to_be_bytes();
    let mut body = vec![FORMAT];
    for id in [record.sid.as_uuid(), record.user.as_uuid(), record.tenant.as_uuid()] {
        body.extend(id.as_bytes());
    }
    for version in [record.versions.user, record.versions.tenant, record.versions.global] {
        body.extend(version.to_be_bytes());
    }
    for time in [*looked_at, record.authenticated_at, record.last_seen_at, record.expires_at] {
        body.extend(micros(time));
    }
    body.extend(record.idle.num_seconds().to_be_bytes());
    body.push(match record.assurance {
        Assurance::Password => 1,
        Assurance::PasswordAndTotp => 2,
    });
    body.push(record.mfa_required_from.is_some().into());
    body.extend(record.mfa_required_from.map(micros).unwrap_or_default());
    match record.ip {
        IpAddr::V4(ip) => body.extend([&[4][..], &ip.octets()].concat()),
        IpAddr::V6(ip) => body.extend([&[6][..], &ip.octets()].concat()),
    }
    if let Some(agent) = &record.user_agent {
        body.push(1);
        body.extend(agent.as_bytes());
    }
    body
}

fn decode(body: &[u8]) -> Option<Entry> {
    let mut rest = Reader(body);
    if rest.take::<1>()? != [FORMAT] {
        return None;
    }
    let [sid, user, tenant] = [rest.take()?, rest.take()?, rest.take()?].map(Uuid::from_bytes);
    let versions = Versions { user: rest.number()?, tenant: rest.number()?, global: rest.number()? };
    let looked_at = rest.time()?;
    let (authenticated_at, last_seen_at, expires_at) = (rest.time()?, rest.time()?, rest.time()?);
    let idle = TimeDelta::try_seconds(rest.number()?)?;
    let assurance = match rest.take::<1>()? {
        [1] => Assurance::Password,
        [2] => Assurance::PasswordAndTotp,
        _ => return None,
    };
    let [demanded] = rest.take()?;
    let mfa_required_from = Some(rest.time()?).filter(|_| demanded == 1);
    let ip = match rest.take::<1>()? {
        [4] => IpAddr::from(rest.take::<4>()?),
        [6] => IpAddr::from(rest.take::<16>()?),
        _ => return None,
    };
    let user_agent = match rest.0.split_first() {
        Some((1, agent)) => Some(str::from_utf8(agent).ok()?.to_owned()),
        Some(_) => return None,
        None => None,
    };
    let record = SessionRecord {
        sid: sid.into(),
        user: user.into(),
        tenant: tenant.into(),
        versions,
        assurance,
        authenticated_at,
        last_seen_at,
        idle,
        expires_at,
        ip,
        user_agent,
        mfa_required_from,
    };
    Some(Entry { looked_at, record })
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.number()?)
    }
}

#[cfg(test)]
mod tests;
