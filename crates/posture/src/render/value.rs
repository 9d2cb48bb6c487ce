//! A JSON value that can be written in one way only.
//!
//! `serde_json::Value` keeps its keys sorted unless any crate of the build turns on its feature `preserve_order`; a digest
//! must not depend on that.

use std::{collections::BTreeMap, fmt};

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    Number(i64),
    Text(String),
    Array(Vec<Value>),
    Object(BTreeMap<&'static str, Value>),
}

impl Value {
    pub(crate) fn object(fields: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Object(fields.into_iter().collect())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write_text(f, text),
            Self::Array(items) => {
                let mut separator = "[";
                for item in items {
                    write!(f, "{separator}{item}")?;
                    separator = ",";
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Self::Object(fields) => {
                let mut separator = "{";
                for (key, value) in fields {
                    f.write_str(separator)?;
                    write_text(f, key)?;
                    write!(f, ":{value}")?;
                    separator = ",";
                }
                f.write_str(if fields.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// RFC 8785, section 3.2.2.2: the short escapes where there are any, `\u00xx` for other control characters, nothing else.
fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_nothing_is_added() {
        let value = Value::object([
            ("b", 1_u32.into()),
            ("a", Value::Array(vec![Value::Null, Value::Flag(true)])),
            ("c", Value::object([])),
        ]);
        assert_eq!(value.to_string(), r#"{"a":[null,true],"b":1,"c":{}}"#);
    }

    /// The text of the example in RFC 8785, section 3.2.2.
    #[test]
    fn text_is_escaped_as_in_rfc_8785() {
        let text = Value::from("\u{20ac}$\u{000F}\u{000a}A'\u{0042}\u{0022}\u{005c}\\\"/");
        assert_eq!(text.to_string(), r#""€$\u000f\nA'B\"\\\\\"/""#);
    }
}
