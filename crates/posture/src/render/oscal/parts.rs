//! The small parts of which an OSCAL document is made.

use chrono::{DateTime, TimeZone as _, Utc};
use uuid::Uuid;

use crate::{
    digest::Digest,
    render::{Value, markdown, timestamp},
};

/// The namespace of the properties, which names who defines them and is not fetched.
const NAMESPACE: &str = "https://docs.rs/stockade-posture";

/// The namespace of the identifiers (RFC 9562, section 5.5). Drawn once.
const ROOT: Uuid = Uuid::from_u128(0xe78c_3f5f_7131_40f8_bc22_ca99_d48d_611d);

/// The identifiers of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids(Uuid);

impl Ids {
    pub(super) fn new(digest: Digest) -> Self {
        Self(Uuid::new_v5(&ROOT, digest.as_bytes()))
    }

    /// The identifier of what `name` means among things of one kind. No kind has a NUL in it.
    pub(super) fn of(&self, kind: &str, name: &str) -> Value {
        self.text(kind, name).into()
    }

    pub(super) fn text(&self, kind: &str, name: &str) -> String {
        Uuid::new_v5(&self.0, format!("{kind}\0{name}").as_bytes()).to_string()
    }
}

/// An object of those fields that have a value.
pub(super) fn only(fields: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    Value::object(fields.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

/// An array, or nothing: OSCAL has no empty ones.
pub(super) fn list(items: impl IntoIterator<Item = Value>) -> Option<Value> {
    let items: Vec<Value> = items.into_iter().collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

/// Text as OSCAL markup of one line. It is never empty.
pub(super) fn markup(text: &str) -> Value {
    match markdown::escape(text) {
        text if text.is_empty() => "(none)".into(),
        text => text.into(),
    }
}

/// A property, if there is a value that is not blank.
pub(super) fn prop(name: &'static str, value: Option<String>) -> Option<Value> {
    let value = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())?;
    Some(Value::object([("name", name.into()), ("ns", NAMESPACE.into()), ("value", value.into())]))
}

pub(super) fn props(props: impl IntoIterator<Item = Option<Value>>) -> Option<Value> {
    list(props.into_iter().flatten())
}

/// A time within the years that OSCAL can write.
pub(super) fn time(at: DateTime<Utc>) -> Value {
    let limit = |year, month, day, hour, rest| Utc.with_ymd_and_hms(year, month, day, hour, rest, rest).single();
    let (first, last) = (limit(1900, 1, 1, 0, 0), limit(2999, 12, 31, 23, 59));
    let at = first.map_or(at, |first| at.max(first));
    timestamp(last.map_or(at, |last| at.min(last))).into()
}
