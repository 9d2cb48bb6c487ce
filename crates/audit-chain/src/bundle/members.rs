//! The members of a JSON object, taken out one by one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Digest;

/// What is left of an object. Nothing here checks that a value is in its one spelling: whoever reads a line writes it
/// again and compares.
pub(super) struct Members(Map<String, Value>);

impl Members {
    pub(super) fn of(value: Value) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }

    pub(super) fn optional(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    pub(super) fn object(&mut self, key: &str) -> Option<Self> {
        Self::of(self.optional(key)?)
    }

    pub(super) fn list(&mut self, key: &str) -> Option<Vec<Value>> {
        match self.optional(key)? {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.optional(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Option<u64> {
        self.optional(key)?.as_u64()
    }

    pub(super) fn digest(&mut self, key: &str) -> Option<Digest> {
        self.text(key)?.parse().ok()
    }

    pub(super) fn digests(&mut self, key: &str) -> Option<Vec<Digest>> {
        self.list(key)?.iter().map(|item| item.as_str()?.parse().ok()).collect()
    }

    pub(super) fn uuid(&mut self, key: &str) -> Option<Uuid> {
        Uuid::try_parse(&self.text(key)?).ok()
    }

    pub(super) fn time(&mut self, key: &str) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.text(key)?).ok().map(|time| time.to_utc())
    }

    pub(super) fn bytes(&mut self, key: &str) -> Option<Vec<u8>> {
        STANDARD.decode(self.text(key)?).ok()
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn hexadecimal(digests: &[Digest]) -> Vec<String> {
    digests.iter().map(ToString::to_string).collect()
}
