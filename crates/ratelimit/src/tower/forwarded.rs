//! Reading `X-Forwarded-For` and `Forwarded` from the end.
//!
//! Only the end of these headers is written by somebody who is trusted; what stands before it may be anything. So
//! everything here works from the right, and nothing that stands further left can change what is read: not an open
//! quotation mark, not a comma.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    None,
    /// `"a, b"` is one element (RFC 9110 section 5.6.4).
    Strings,
}

/// The elements of a list, the last first. An empty one is an element, because dropping it would move the others.
pub(super) fn elements_from_the_end(line: &[u8], quoting: Quoting) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let (before, element) = match last_comma(line, quoting) {
            Some(at) => (line.get(..at), line.get(at.saturating_add(1)..)),
            None => (None, Some(line)),
        };
        rest = before;
        element
    })
}

fn last_comma(line: &[u8], quoting: Quoting) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if quoting == Quoting::Strings && !is_escaped(line, at) => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether an odd number of backslashes stands before `at`.
fn is_escaped(line: &[u8], at: usize) -> bool {
    let before = line.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The address of the one `for` of a `Forwarded` element (RFC 7239 section 4).
pub(super) fn for_parameter(element: &str) -> Option<IpAddr> {
    let mut found = None;
    // No value that is an address holds a semicolon, so a quoted one in another parameter can at worst look like a
    // broken parameter, which ends the search.
    for pair in element.split(';') {
        let (name, value) = pair.split_once('=')?;
        if name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            found = Some(unquoted(value.trim_matches([' ', '\t']))?);
        }
    }
    node(found?)
}

fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"'),
        None => Some(value),
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; a port is read past.
pub(super) fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}
