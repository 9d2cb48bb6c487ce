//! The compact form (RFC 7515, 7.1) with HMAC-SHA-256, and nothing of the rest of the standard.
//!
//! There is one header for each key, byte for byte, so there is nothing to negotiate: another algorithm, `none`, `crit`, a key of its
//! own, a repeated or reordered member, a space, all of them are another header (RFC 8725, 3.1).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::key::{KeyRing, Purpose};

const HEADER: (&[u8], &[u8]) = (br#"{"alg":"HS256","typ":"JWT","kid":""#, br#""}"#);
/// More than any token that [`seal`] makes.
const LONGEST: usize = 2048;

/// Signs with the active key.
pub(crate) fn seal(keys: &KeyRing, payload: &str) -> Zeroizing<String> {
    let kid = keys.active_id().to_string();
    let mut text = Zeroizing::new(String::with_capacity(128 + payload.len() * 2));
    URL_SAFE_NO_PAD.encode_string([HEADER.0, kid.as_bytes(), HEADER.1].concat(), &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let tag = keys.active_digest(Purpose::Jwt, text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(tag.as_bytes(), &mut text);
    text
}

/// The payload, if the text has our header, a key of the ring and that key's tag. Nothing of the payload is read before.
pub(crate) fn open(keys: &KeyRing, text: &str) -> Option<Vec<u8>> {
    if text.len() > LONGEST {
        return None;
    }
    let parts = Parts::split(text)?;
    let mut header = [0; 64];
    let length = URL_SAFE_NO_PAD.decode_slice(parts.header, &mut header).ok()?;
    let kid = header.get(..length)?.strip_prefix(HEADER.0)?.strip_suffix(HEADER.1)?;
    let id: u8 = str::from_utf8(kid).ok()?.parse().ok()?;
    // One text for one number: no sign, no leading zero.
    if id.to_string().as_bytes() != kid {
        return None;
    }
    let tag = keys.digest(id, Purpose::Jwt, parts.signed.as_bytes())?;
    parts.payload_if_tagged(tag.as_bytes())
}

struct Parts<'a> {
    signed: &'a str,
    header: &'a str,
    payload: &'a str,
    tag: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let (signed, tag) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self { signed, header, payload, tag })
    }

    /// The engine refuses padding, other alphabets and trailing bits, so there is one text for one payload and tag.
    fn payload_if_tagged(&self, expected: &[u8; 32]) -> Option<Vec<u8>> {
        let mut tag = [0; 33];
        let length = URL_SAFE_NO_PAD.decode_slice(self.tag, &mut tag).ok()?;
        let equal: bool = tag.get(..length)?.ct_eq(expected).into();
        if equal { URL_SAFE_NO_PAD.decode(self.payload).ok() } else { None }
    }
}

#[cfg(test)]
mod tests;
