//! Files that another program left, read with bounds.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// A JSON document from outside. `serde_json` goes 128 levels deep and no further.
#[derive(Debug)]
pub(crate) struct Report(Value);

/// How a date stands to the time of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// More than five minutes ahead: its clock or its author is wrong.
    Future,
    Fresh,
    Old,
}

impl Report {
    pub(crate) fn parse(bytes: &[u8], most: usize) -> Result<Self, &'static str> {
        if bytes.len() > most {
            return Err("the file is too long to be read");
        }
        serde_json::from_slice(bytes).map(Self).map_err(|_| "the file is not JSON")
    }

    /// The text at this pointer (RFC 6901).
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }

    #[cfg(feature = "rls-migrations")]
    pub(crate) fn flag(&self, pointer: &str) -> Option<bool> {
        self.0.pointer(pointer)?.as_bool()
    }

    pub(crate) fn time(&self, pointer: &str) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(self.text(pointer)?).ok().map(|time| time.to_utc())
    }

    pub(crate) fn list(&self, pointer: &str) -> &[Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The members of the object at this pointer, in the order of their names.
    #[cfg(feature = "rls-migrations")]
    pub(crate) fn members(&self, pointer: &str) -> std::collections::BTreeMap<&str, &Value> {
        let object = self.0.pointer(pointer).and_then(Value::as_object);
        object.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
    }

    pub(crate) fn number(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer)?.as_u64()
    }
}

impl From<Value> for Report {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Age {
    pub(crate) fn of(time: DateTime<Utc>, limit: TimeDelta, at: DateTime<Utc>) -> Self {
        let age = at.signed_duration_since(time);
        if age < -TimeDelta::minutes(5) {
            Self::Future
        } else if age > limit {
            Self::Old
        } else {
            Self::Fresh
        }
    }
}
