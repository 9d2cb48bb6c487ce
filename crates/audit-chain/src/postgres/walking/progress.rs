//! Where a walk is, as a value to keep.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Digest, Error, TenantId, error::Repr};

/// How far an [`IncrementalVerifier`](super::super::IncrementalVerifier) has come with each tenant. `Display` and `FromStr` are for
/// a file or a row that only the verifying process can write.
///
/// It holds ids, numbers, times and hashes, and nothing vouches for it. Whoever forges it moves the walk past what it would have
/// seen: what lies before the forged places stays unseen until the pass ends and the next one begins at the first link. A place
/// whose hash is not that of the stored link is found as [`LinkBroken`](crate::Finding::LinkBroken). Forged before every
/// step, it hides what it likes; so do not keep it in the audited database, and sign it if others can write where it lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    last: Option<TenantId>,
    places: BTreeMap<TenantId, Place>,
}

/// How far the walk has come with one tenant: the last link with its hash, and the last entry in the order of time. Nothing stands for
/// the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) links: Option<(u64, Digest)>,
    pub(super) entries: Option<(DateTime<Utc>, Uuid)>,
}

const TITLE: &str = "audit-chain walk 1";

impl Progress {
    /// The tenant of the last step.
    pub(super) const fn last(&self) -> Option<TenantId> {
        self.last
    }

    pub(super) fn place(&self, tenant: TenantId) -> Place {
        self.places.get(&tenant).copied().unwrap_or_default()
    }

    /// Takes note of a step. Tenants that it should have come to before this one are not there any more.
    pub(super) fn note(&mut self, tenant: TenantId, place: Place) {
        let last = self.last.replace(tenant);
        let passed = |other: &TenantId| match last {
            Some(last) if last < tenant => last < *other && *other < tenant,
            _ => last.is_none_or(|last| last < *other) || *other < tenant,
        };
        self.places.retain(|other, _| !passed(other));
        if place == Place::default() {
            self.places.remove(&tenant);
        } else {
            self.places.insert(tenant, place);
        }
    }
}

impl fmt::Display for Progress {
    /// A line for the title and the last tenant, and one for each tenant in the middle of whose log the walk is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TITLE)?;
        if let Some(last) = self.last {
            write!(f, " {last}")?;
        }
        for (tenant, place) in &self.places {
            write!(f, "\n{tenant}")?;
            if let Some((seq, hash)) = place.links {
                write!(f, " link {seq} {hash}")?;
            }
            if let Some((time, id)) = place.entries {
                write!(f, " entry {} {id}", time.timestamp_millis())?;
            }
        }
        Ok(())
    }
}

impl FromStr for Progress {
    type Err = Error;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let progress = read(text).filter(|progress| progress.to_string() == text);
        progress.ok_or_else(|| Repr::Malformed("the text is not the progress of a walk").into())
    }
}

fn read(text: &str) -> Option<Progress> {
    let (title, rest) = text.split_once('\n').unwrap_or((text, ""));
    let last = title.strip_prefix(TITLE)?.trim_start();
    let tenant = |text| Uuid::try_parse(text).ok().map(TenantId::from);
    let last = if last.is_empty() { None } else { Some(tenant(last)?) };
    let mut places = BTreeMap::new();
    for line in rest.lines() {
        let mut words = line.split(' ');
        let (tenant, mut place) = (tenant(words.next()?)?, Place::default());
        while let Some(kind) = words.next() {
            let (number, id) = (words.next()?, words.next()?);
            match kind {
                "link" => place.links = Some((number.parse().ok()?, id.parse().ok()?)),
                "entry" => {
                    let time = DateTime::from_timestamp_millis(number.parse().ok()?)?;
                    place.entries = Some((time, Uuid::try_parse(id).ok()?));
                }
                _ => return None,
            }
        }
        places.insert(tenant, place);
    }
    Some(Progress { last, places })
}
