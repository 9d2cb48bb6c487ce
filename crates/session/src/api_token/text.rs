//! `prefix_id_secret` and a check value: 22 digits that name the row, 43 random ones, 6 of CRC-32 over all before them.
//!
//! Digits are base62, so that a double click selects the whole and no encoding of a URL or a header touches it. The random part is not
//! decoded: the text itself is what is hashed, so there is one text for one token.

use uuid::Uuid;
use zeroize::Zeroizing;

use super::ApiTokenPolicy;
use crate::{
    error::{Error, Result},
    id::ApiTokenId,
};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(super) const ID: usize = 22;
/// 43 digits are 256.03 bits.
pub(super) const SECRET: usize = 43;
pub(super) const CHECK: usize = 6;

/// What a client sent, if it can be a token of this application.
pub(crate) struct Presented {
    pub(crate) id: ApiTokenId,
    body: Zeroizing<String>,
}

impl Presented {
    /// A new text for the token `id`.
    pub(crate) fn generate(policy: &ApiTokenPolicy, id: ApiTokenId) -> Result<Self> {
        let mut body = Zeroizing::new(String::with_capacity(policy.prefix().len() + 2 + ID + SECRET));
        body.push_str(policy.prefix());
        body.push('_');
        write(&mut body, id.as_uuid().as_u128(), ID);
        body.push('_');
        random(&mut body)?;
        Ok(Self { id, body })
    }

    /// Nothing if it has another prefix or shape, or a digit is wrong. No database is asked.
    pub(crate) fn parse(policy: &ApiTokenPolicy, text: &str) -> Option<Self> {
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK)?)?;
        let (head, secret) = body.rsplit_once('_')?;
        let (prefix, id) = head.rsplit_once('_')?;
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_alphanumeric());
        if prefix != policy.prefix() || !digits(secret, SECRET) || !digits(id, ID) || check != checksum(body) {
            return None;
        }
        let id = Uuid::from_u128(read(id)?);
        Some(Self { id: id.into(), body: Zeroizing::new(body.to_owned()) })
    }

    /// What is hashed: all but the check value.
    pub(crate) fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }

    /// The whole text.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(self.body.len() + CHECK));
        text.push_str(&self.body);
        text.push_str(&checksum(&self.body));
        text
    }
}

fn checksum(body: &str) -> String {
    let mut text = String::with_capacity(CHECK);
    write(&mut text, crc32fast::hash(body.as_bytes()).into(), CHECK);
    text
}

/// Appends a number with leading zeros.
fn write(text: &mut String, number: u128, length: usize) {
    let mut divisor = 62_u128.pow(u32::try_from(length).unwrap_or(1).saturating_sub(1));
    while divisor > 0 {
        let digit = usize::try_from(number / divisor % 62).unwrap_or(0);
        text.extend(DIGITS.get(digit).map(|&digit| char::from(digit)));
        divisor /= 62;
    }
}

fn read(text: &str) -> Option<u128> {
    text.bytes().try_fold(0_u128, |number, byte| {
        let digit = DIGITS.iter().position(|&digit| digit == byte)?;
        number.checked_mul(62)?.checked_add(digit.try_into().ok()?)
    })
}

/// Appends the secret: bytes of 248 and more are thrown away, or the first digits would be likelier than the others.
fn random(text: &mut String) -> Result<()> {
    let mut left = SECRET;
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while left > 0 {
        getrandom::fill(bytes.as_mut_slice()).map_err(Error::random)?;
        for byte in bytes.iter().filter(|&&byte| byte < 248).take(left) {
            text.extend(DIGITS.get(usize::from(byte % 62)).map(|&digit| char::from(digit)));
            left -= 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> ApiTokenPolicy {
        ApiTokenPolicy::new("acme_live", |_| true).unwrap()
    }

    fn id() -> ApiTokenId {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001).into()
    }

    /// Computed with Python's zlib.
    #[test]
    fn the_form_does_not_change() {
        let acme = ApiTokenPolicy::new("acme", |_| true).unwrap();
        let text = "acme_00000000000000000000A1_00000000000000000000000000000000000000000092O47qT";
        let parsed = Presented::parse(&acme, text).unwrap();
        assert_eq!(parsed.id.as_uuid().as_u128(), 10 * 62 + 1);
        assert_eq!(*parsed.text(), text);
    }

    #[test]
    fn secrets_differ_and_have_every_digit() {
        let (a, b) = (Presented::generate(&policy(), id()).unwrap(), Presented::generate(&policy(), id()).unwrap());
        assert_ne!(a.body, b.body);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let text = Presented::generate(&policy(), id()).unwrap().text();
            assert_eq!(text.len(), 9 + 1 + ID + 1 + SECRET + CHECK);
            seen.extend(text.bytes().rev().skip(CHECK).take(SECRET));
        }
        assert_eq!(seen.len(), 62);
    }

    #[test]
    fn the_largest_number_has_a_place() {
        let mut text = String::new();
        write(&mut text, u128::MAX, ID);
        assert_eq!(read(&text), Some(u128::MAX));
        assert_eq!(read(&"z".repeat(ID)), None, "more than 128 bits");
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: u128) {
            let mut text = String::new();
            write(&mut text, number, ID);
            prop_assert_eq!(text.len(), ID);
            prop_assert_eq!(read(&text), Some(number));
        }

        /// No typo of one or two characters passes: CRC-32 finds every burst of up to 32 bits, and two far ones but for 1 in 2^32.
        #[test]
        fn typos_are_found(at in 0_usize..81, other in "[0-9A-Za-z_]", seed: u128) {
            let text = Presented::generate(&policy(), Uuid::from_u128(seed).into()).unwrap().text();
            let mut changed = text.as_bytes().to_vec();
            let at = at % changed.len();
            changed[at] = other.as_bytes()[0];
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(Presented::parse(&policy(), &changed).is_some(), changed == *text);
        }

        /// One text for one token, and nothing panics.
        #[test]
        fn parsing_is_canonical(text in "(acme_live_[0-9A-Za-z]{22}_[0-9A-Za-z]{49})|\\PC*|[a-z_0-9]{60,90}") {
            if let Some(parsed) = Presented::parse(&policy(), &text) {
                prop_assert_eq!(&*parsed.text(), &text);
            }
        }
    }
}
