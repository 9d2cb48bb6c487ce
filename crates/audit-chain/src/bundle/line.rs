//! The lines of a bundle, as text and as values.

use serde_json::{Value, json};

use super::{
    BundleCheckpoint,
    forgetting::Forgotten,
    members::{Members, base64, hexadecimal},
    rendering::shown,
};
use crate::{Digest, Envelope, Error, Head, Link, Opening, Record, Salt, TenantId, json::canonical};

/// Any later line.
#[derive(Clone, Debug)]
pub(super) enum Line {
    Checkpoint(Box<BundleCheckpoint>),
    Forgotten(Forgotten),
    Entry(Link, Box<Record>, Option<Vec<Digest>>),
    Absent(Link, Absence),
    Footer(Footer),
}

/// Why a link has no entry beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    Missing,
    Unreadable,
    Unknown(u16),
}

/// What the last line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) entries: u64,
    pub(super) sha256: Digest,
}

impl Line {
    /// Reads a line of the bundle that ends in this head, and demands that writing it gives the same text.
    pub(super) fn read(text: &str, head: &Head) -> Option<Self> {
        let mut members = Members::of(serde_json::from_str(text).ok()?)?;
        let line = match members.text("type")?.as_str() {
            "checkpoint" => Self::Checkpoint(Box::new(BundleCheckpoint::read(&mut members, head)?)),
            "erasure" => Self::Forgotten(Forgotten::erasure(&mut members)?),
            "purge" => Self::Forgotten(Forgotten::purge(&mut members)?),
            "entry" => {
                let proof = if let Some(path) = members.optional("proof") {
                    Some(Members::of(json!({"path": path}))?.digests("path")?)
                } else {
                    None
                };
                Self::Entry(read_link(&mut members, head.tenant)?, Box::new(read_record(&mut members)?), proof)
            }
            "absent" => {
                let absence = match members.text("state")?.as_str() {
                    "missing" => Absence::Missing,
                    "unreadable" => Absence::Unreadable,
                    "unknown" => Absence::Unknown(members.number("format")?.try_into().ok()?),
                    _ => return None,
                };
                Self::Absent(read_link(&mut members, head.tenant)?, absence)
            }
            "footer" => Self::Footer(Footer { entries: members.number("entries")?, sha256: members.digest("sha256")? }),
            _ => return None,
        };
        (line.write().ok()? == text).then_some(line)
    }

    fn write(&self) -> Result<String, Error> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.write(),
            Self::Forgotten(forgotten) => forgotten.write(),
            Self::Entry(link, record, proof) => entry(link, record, proof.as_deref()),
            Self::Absent(link, absence) => absent(link, *absence),
            Self::Footer(footer) => footer.write(),
        }
    }
}

impl Footer {
    pub(super) fn write(&self) -> Result<String, Error> {
        let line = json!({"type": "footer", "entries": self.entries, "sha256": self.sha256.to_string()});
        canonical("line of a bundle", &line)
    }
}

pub(super) fn entry(link: &Link, record: &Record, proof: Option<&[Digest]>) -> Result<String, Error> {
    let open: Vec<Value> = record.openings().iter().map(|opening| open(opening.as_ref())).collect();
    let mut line = json!({
        "type": "entry",
        "link": link_value(link),
        "envelope": base64(record.envelope().encode()),
        "open": open,
        "shown": shown(record),
    });
    if let (Some(path), Some(members)) = (proof, line.as_object_mut()) {
        members.insert("proof".to_owned(), json!(hexadecimal(path)));
    }
    canonical("line of a bundle", &line)
}

pub(super) fn absent(link: &Link, absence: Absence) -> Result<String, Error> {
    let mut line = json!({"type": "absent", "link": link_value(link), "state": absence.as_str()});
    if let (Absence::Unknown(format), Some(members)) = (absence, line.as_object_mut()) {
        members.insert("format".to_owned(), format.into());
    }
    canonical("line of a bundle", &line)
}

impl Absence {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Unknown(_) => "unknown",
        }
    }
}

fn open(opening: Option<&Opening>) -> Value {
    opening.map_or(
        Value::Null,
        |opening| json!({"value": base64(&opening.value), "salt": base64(opening.salt.as_bytes())}),
    )
}

fn link_value(link: &Link) -> Value {
    json!({
        "seq": link.seq,
        "entry_id": link.entry_id.to_string(),
        "prev": link.prev.to_string(),
        "leaf": link.leaf.to_string(),
        "hash": link.hash.to_string(),
    })
}

fn read_link(members: &mut Members, tenant: TenantId) -> Option<Link> {
    let mut link = members.object("link")?;
    Some(Link {
        tenant,
        seq: link.number("seq")?,
        entry_id: link.uuid("entry_id")?,
        prev: link.digest("prev")?,
        leaf: link.digest("leaf")?,
        hash: link.digest("hash")?,
    })
}

fn read_record(members: &mut Members) -> Option<Record> {
    let envelope = Envelope::decode(&members.bytes("envelope")?).ok()?;
    let openings = members.list("open")?.into_iter().map(|opening| match opening {
        Value::Null => Some(None),
        opening => {
            let mut opening = Members::of(opening)?;
            let salt = Salt::from(<[u8; 32]>::try_from(opening.bytes("salt")?).ok()?);
            Some(Some(Opening { value: opening.bytes("value")?, salt }))
        }
    });
    Record::new(envelope, openings.collect::<Option<_>>()?).ok()
}
