//! JSON, written once and the same way every time.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value};

use crate::{Error, error::Repr};

/// serde_json reads 128 levels back; a deeper document could be written but not read.
const MAX_DEPTH: usize = 100;

/// Writes a value with the keys of every object in code point order and no white space.
///
/// These bytes are stored and hashed as they are; nothing ever renders them a second time.
pub(crate) fn canonical(part: &'static str, value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_value(&mut out, value, MAX_DEPTH).map(|()| out).map_err(|problem| Repr::Invalid { part, problem }.into())
}

/// The JSON Pointers (RFC 6901) of what differs, in order. Objects are compared member by member;
/// anything else as a whole.
pub(crate) fn changed_paths(before: &Value, after: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    collect_changes(&mut String::new(), before, after, MAX_DEPTH, &mut paths);
    paths
}

/// Whether a text is a JSON Pointer in its one spelling: every `~` followed by `0` or `1`.
pub(crate) fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

fn write_value(out: &mut String, value: &Value, depth: usize) -> Result<(), &'static str> {
    let inner = depth.checked_sub(1).ok_or("is nested more than 100 levels deep")?;
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => drop(write!(out, "{number}")),
        Value::String(text) => write_text(out, text)?,
        Value::Array(items) => write_sequence(out, ['[', ']'], items, |out, item| write_value(out, item, inner))?,
        Value::Object(members) => write_sequence(out, ['{', '}'], sorted(members), |out, (key, item)| {
            write_text(out, key)?;
            out.push(':');
            write_value(out, item, inner)
        })?,
    }
    Ok(())
}

fn write_sequence<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    out.push(open);
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item)?;
    }
    out.push(close);
    Ok(())
}

fn write_text(out: &mut String, text: &str) -> Result<(), &'static str> {
    if text.contains('\0') {
        return Err("holds U+0000");
    }
    out.push_str(&serde_json::to_string(text).map_err(|_| "cannot be written as JSON")?);
    Ok(())
}

// serde_json keeps members sorted unless some crate of the build turns on `preserve_order`.
fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    members
}

fn collect_changes(path: &mut String, before: &Value, after: &Value, depth: usize, paths: &mut BTreeSet<String>) {
    let (Value::Object(old), Value::Object(new), Some(inner)) = (before, after, depth.checked_sub(1)) else {
        if before != after {
            paths.insert(path.clone());
        }
        return;
    };
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let length = path.len();
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        match (old.get(key), new.get(key)) {
            (Some(before), Some(after)) => collect_changes(path, before, after, inner, paths),
            _ => drop(paths.insert(path.clone())),
        }
        path.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_sorted_and_compact() {
        let value =
            json!({"b": [1, -0.0, 1e300, 18446744073709551615u64], "a": {"z": null, "é": "\u{1}\"\\/", "": true}});
        assert_eq!(
            canonical("after", &value).unwrap(),
            r#"{"a":{"":true,"z":null,"é":"\u0001\"\\/"},"b":[1,-0.0,1e+300,18446744073709551615]}"#
        );
    }

    #[test]
    fn refuses_what_postgresql_or_a_reader_cannot_hold() {
        let mut deep = Value::Null;
        for _ in 0..MAX_DEPTH {
            deep = json!([deep]);
        }
        for value in [json!("a\0b"), json!({"a\0": 1}), json!([["\0"]]), deep.clone()] {
            assert_eq!(canonical("after", &value).unwrap_err().kind(), crate::ErrorKind::InvalidEntry);
        }
        let Value::Array(items) = deep else { unreachable!() };
        let text = canonical("after", &items[0]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), items[0]);
    }

    #[test]
    fn names_what_changed() {
        let before = json!({"same": 1, "gone": 2, "deep": {"a/b": 1, "x": [1]}, "kind": {}});
        let after = json!({"same": 1, "new": 2, "deep": {"a/b": 2, "x": [1]}, "kind": []});
        let paths: Vec<_> = changed_paths(&before, &after).into_iter().collect();
        assert_eq!(paths, ["/deep/a~1b", "/gone", "/kind", "/new"]);
        assert_eq!(changed_paths(&json!(1), &json!(2)).into_iter().collect::<Vec<_>>(), [""]);
        assert!(changed_paths(&before, &before).is_empty());
    }

    #[test]
    fn a_pointer_has_one_spelling() {
        assert!(["", "/", "/a/0", "/~0~1", "/é"].iter().all(|text| is_pointer(text)));
        assert!(!["a", "/~", "/~2", "/a~", "ssn"].iter().any(|text| is_pointer(text)));
    }
}
