//! From what the application said to what is stored.

use std::{collections::BTreeMap, net::IpAddr};

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::Entry;
use crate::{
    Envelope, Error, Opening, Record,
    commitment::Seed,
    error::Repr,
    fields::Fields,
    format::{self, tag},
    json,
};

/// The longest id, name of an action or of a type, in bytes. These are indexed, and an index row is
/// limited to about 2700 bytes.
const MAX_NAME: usize = 256;
/// The longest other text, in bytes.
const MAX_TEXT: usize = 4096;

/// An entry that has been checked, numbered, dated, and split into what is hashed and what can be
/// forgotten.
pub(crate) struct Composed {
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fields: Fields,
    pub(crate) openings: Vec<Opening>,
    pub(crate) envelope: Envelope,
}

impl Composed {
    pub(crate) fn new(entry: &Entry, now: DateTime<Utc>, random: [u8; 10], seed: &Seed) -> Result<Self, Error> {
        let recorded_at = now.timestamp_millis();
        // 48 bits of milliseconds (RFC 9562, section 5.7) reach from 1970 to the year 10889.
        let millis = u64::try_from(recorded_at).ok().filter(|millis| *millis < 1 << 48);
        let millis =
            millis.ok_or(Repr::Invalid { part: "recording time", problem: "is before 1970 or after 10889" })?;
        let entry_id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self::with_id(entry, entry_id, recorded_at, seed)
    }

    pub(crate) fn into_record(self) -> Result<Record, Error> {
        Record::new(self.envelope, self.openings.into_iter().map(Some).collect())
    }

    fn with_id(entry: &Entry, entry_id: Uuid, recorded_at: i64, seed: &Seed) -> Result<Self, Error> {
        let (actor, request) = (&entry.actor, &entry.request);
        let mut personal = Personal::default();
        personal.add(format::NAME_PATH.to_owned(), text("actor name", actor.name.as_deref(), MAX_TEXT)?);
        personal.add(format::USER_AGENT_PATH.to_owned(), text("user agent", request.user_agent.as_deref(), MAX_TEXT)?);
        personal.0.extend(request.ip.map(|ip| (format::IP_PATH.to_owned(), address(ip))));

        let (entity_type, entity_id) = entry.entity.as_ref().map(|(kind, id)| (kind.as_str(), id.as_str())).unzip();
        let declared = entry.declared.of(&entry.action, entity_type);
        let pointers: Vec<&str> = entry.personal.iter().chain(declared).map(String::as_str).collect();
        let mut split = |part, root, state: &Option<Value>| {
            state.as_ref().map(|state| personal.split(part, root, state, &pointers))
        };
        let before = split("state before", format::BEFORE_PATH, &entry.before).transpose()?;
        let after = split("state after", format::AFTER_PATH, &entry.after).transpose()?;
        // After `split`, which refuses a document that is too deep to walk.
        let changes = entry.before.as_ref().zip(entry.after.as_ref()).map(|(before, after)| {
            let paths: Vec<_> = json::changed_paths(before, after).into_iter().collect();
            json::canonical("changes", &paths.into())
        });

        let (commitments, openings) = personal.commit(seed);
        let fields = Fields {
            entry_id,
            tenant: entry.tenant,
            recorded_at,
            occurred_at: entry.occurred_at.map(moment).transpose()?,
            action: required("action", &entry.action)?,
            severity: entry.severity.code(),
            outcome: entry.outcome.as_str().to_owned(),
            actor_kind: actor.kind.as_str().to_owned(),
            actor_id: required("actor id", &actor.id)?,
            actor_role: text("actor role", actor.role.as_deref(), MAX_TEXT)?,
            on_behalf_of: text("subject of the impersonation", actor.on_behalf_of.as_deref(), MAX_NAME)?,
            impersonation: text("impersonation id", actor.impersonation.as_deref(), MAX_NAME)?,
            entity_type: text("entity type", entity_type, MAX_NAME)?,
            entity_id: text("entity id", entity_id, MAX_NAME)?,
            method: text("method", request.method.as_deref(), MAX_NAME)?,
            endpoint: text("endpoint", request.endpoint.as_deref(), MAX_TEXT)?,
            status: request.status.map(status).transpose()?,
            request_id: text("request id", request.request_id.as_deref(), MAX_NAME)?,
            before,
            after,
            changes: changes.transpose()?,
            commitments,
        };
        let envelope = fields.encode()?;
        Ok(Self {
            #[cfg(any(feature = "postgres", feature = "sqlite"))]
            fields,
            openings,
            envelope,
        })
    }
}

/// Personal values by path, so that they are committed to in order.
#[derive(Default)]
struct Personal(BTreeMap<String, (u16, Vec<u8>)>);

impl Personal {
    fn add(&mut self, path: String, value: Option<String>) {
        if let (Some(value), Some(tag)) = (value, format::tag_of_path(&path)) {
            self.0.insert(path, (tag, value.into_bytes()));
        }
    }

    /// Takes the personal values out of a state and returns what is left, canonical.
    fn split(&mut self, part: &'static str, root: &str, state: &Value, pointers: &[&str]) -> Result<String, Error> {
        // Refuses what must not be recorded before anything walks the document.
        let whole = json::canonical(part, state)?;
        if pointers.is_empty() {
            return Ok(whole);
        }
        let mut public = state.clone();
        let mut pointers = pointers.to_vec();
        // The outer of two nested values comes first and takes the inner one with it.
        pointers.sort_unstable();
        pointers.dedup();
        for pointer in pointers {
            if !json::is_pointer(pointer) || pointer.len() > MAX_NAME {
                return Err(Repr::Invalid {
                    part: "personal path",
                    problem: "is not a JSON Pointer of at most 256 bytes",
                }
                .into());
            }
            if let Some(value) = public.pointer_mut(pointer) {
                self.add(format!("{root}{pointer}"), Some(json::canonical(part, &value.take())?));
            }
        }
        json::canonical(part, &public)
    }

    fn commit(self, seed: &Seed) -> (Vec<(String, crate::Digest)>, Vec<Opening>) {
        let commit = |(path, (tag, value)): (String, (u16, Vec<u8>))| {
            let opening = Opening { value, salt: seed.salt(&path) };
            ((path, opening.commitment(tag)), opening)
        };
        self.0.into_iter().map(commit).unzip()
    }
}

fn address(ip: IpAddr) -> (u16, Vec<u8>) {
    let bytes = match ip.to_canonical() {
        IpAddr::V4(ip) => [&[4][..], &ip.octets()].concat(),
        IpAddr::V6(ip) => [&[6][..], &ip.octets()].concat(),
    };
    (tag::IP, bytes)
}

fn required(part: &'static str, value: &str) -> Result<String, Error> {
    if value.is_empty() {
        return Err(Repr::Invalid { part, problem: "is empty" }.into());
    }
    text(part, Some(value), MAX_NAME).map(Option::unwrap_or_default)
}

fn text(part: &'static str, value: Option<&str>, limit: usize) -> Result<Option<String>, Error> {
    match value {
        Some(value) if value.len() > limit => Err(Repr::Invalid { part, problem: "is too long" }.into()),
        Some(value) if value.contains('\0') => Err(Repr::Invalid { part, problem: "holds U+0000" }.into()),
        value => Ok(value.map(str::to_owned)),
    }
}

fn moment(time: DateTime<Utc>) -> Result<i64, Error> {
    match time.year() {
        1..=9999 => Ok(time.timestamp_millis()),
        _ => Err(Repr::Invalid { part: "time of occurrence", problem: "is outside the years 1 to 9999" }.into()),
    }
}

fn status(status: u16) -> Result<u16, Error> {
    match status {
        100..=999 => Ok(status),
        _ => Err(Repr::Invalid { part: "status", problem: "is not an HTTP status" }.into()),
    }
}
