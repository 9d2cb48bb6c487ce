//! An entry as text, for people.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::members::base64;
use crate::{Opening, Record, Severity, format, format::tag};

/// What the envelope and the open values of a record say. A function of them alone, so that a reader can demand it.
pub(super) fn shown(record: &Record) -> Value {
    let mut members = Map::new();
    for (number, value) in record.envelope().fields() {
        let named = name(number).and_then(|(name, kind)| Some((name.to_owned(), kind.show(value)?)));
        let (name, value) = match number {
            tag::COMMITMENTS => personal(record).map(|personal| ("personal".to_owned(), personal)),
            _ => named,
        }
        .unwrap_or_else(|| (format!("0x{number:04x}"), base64(value).into()));
        members.insert(name, value);
    }
    Value::Object(members)
}

pub(super) fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

enum Kind {
    Text,
    Id,
    Time,
    Severity,
    Status,
}

const fn name(number: u16) -> Option<(&'static str, Kind)> {
    Some(match number {
        tag::ENTRY_ID => ("entry_id", Kind::Id),
        tag::TENANT => ("tenant", Kind::Id),
        tag::RECORDED_AT => ("recorded_at", Kind::Time),
        tag::OCCURRED_AT => ("occurred_at", Kind::Time),
        tag::ACTION => ("action", Kind::Text),
        tag::SEVERITY => ("severity", Kind::Severity),
        tag::OUTCOME => ("outcome", Kind::Text),
        tag::ACTOR_KIND => ("actor_kind", Kind::Text),
        tag::ACTOR_ID => ("actor_id", Kind::Text),
        tag::ACTOR_ROLE => ("actor_role", Kind::Text),
        tag::ON_BEHALF_OF => ("on_behalf_of", Kind::Text),
        tag::IMPERSONATION => ("impersonation", Kind::Text),
        tag::ENTITY_TYPE => ("entity_type", Kind::Text),
        tag::ENTITY_ID => ("entity_id", Kind::Text),
        tag::METHOD => ("method", Kind::Text),
        tag::ENDPOINT => ("endpoint", Kind::Text),
        tag::STATUS => ("status", Kind::Status),
        tag::REQUEST_ID => ("request_id", Kind::Text),
        tag::BEFORE => ("before", Kind::Text),
        tag::AFTER => ("after", Kind::Text),
        tag::CHANGES => ("changes", Kind::Text),
        _ => return None,
    })
}

impl Kind {
    fn show(&self, value: &[u8]) -> Option<Value> {
        Some(match self {
            Self::Text => text(value)?.into(),
            Self::Id => Uuid::from_slice(value).ok()?.to_string().into(),
            Self::Time => {
                let millis = i64::from_be_bytes(value.try_into().ok()?);
                // RFC 3339 has years of four digits. No entry that this crate recorded has another.
                let time = DateTime::from_timestamp_millis(millis).filter(|time| EPOCHS.contains(&time.timestamp()))?;
                moment(time).into()
            }
            Self::Severity => {
                let [code] = <[u8; 1]>::try_from(value).ok()?;
                Severity::from_code(code)?.as_str().into()
            }
            Self::Status => u16::from_be_bytes(value.try_into().ok()?).into(),
        })
    }
}

/// The seconds of the years 1 to 9999.
const EPOCHS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

fn personal(record: &Record) -> Option<Value> {
    let commitments = record.commitments()?;
    let openings = record.openings().iter().map(Option::as_ref).chain(std::iter::repeat(None));
    let members = commitments.into_iter().zip(openings).map(|((path, commitment), opening)| {
        let path = (!path.contains('\0')).then(|| path.to_owned())?;
        let value = match opening {
            None => json!({"commitment": commitment.to_string()}),
            Some(opening) => value(&path, opening),
        };
        Some((path, value))
    });
    members.collect::<Option<Map<_, _>>>().map(Value::Object)
}

fn value(path: &str, Opening { value, .. }: &Opening) -> Value {
    let readable = if path == format::IP_PATH { format::address(value).map(|ip| ip.to_string()) } else { text(value) };
    readable.map_or_else(|| json!({"base64": base64(value)}), Value::from)
}

fn text(value: &[u8]) -> Option<String> {
    // JSON could hold U+0000 as an escape. An entry cannot, so whatever holds one is not text.
    std::str::from_utf8(value).ok().filter(|text| !text.contains('\0')).map(str::to_owned)
}
