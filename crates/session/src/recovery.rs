//! Recovery codes: what opens an account when the second factor is lost.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    id::UserId,
    key::{KeyRing, Purpose},
    store::Digest,
};

/// Crockford's base32: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODES: usize = 10;
/// 120 bits, which ASVS 5.0, 6.5.2 lets be stored under a fast hash (from 112).
const BYTES: usize = 15;
/// 5 bits each.
const CHARS: usize = 24;

/// Ten codes, each good for one sign-in in place of the authenticator app. Show them once, over TLS, with `Cache-Control: no-store`: the
/// store has only their keyed hashes.
///
/// Each is six groups of four letters and digits. When one is typed, case, spaces and dashes do not matter, nor does I or L for 1 and O for
/// 0. `Debug` shows nothing of them.
pub struct RecoveryCodes(Vec<Code>);

/// The 24 characters of a code, without dashes.
struct Code(Zeroizing<String>);

impl RecoveryCodes {
    pub(crate) fn generate() -> Result<Self> {
        (0..CODES).map(|_| Code::generate()).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn digests(&self, keys: &KeyRing, user: UserId) -> Vec<Digest> {
        self.0.iter().map(|code| keys.active_digest(Purpose::Recovery, &message(user, code))).collect()
    }

    /// The texts for the user. The caller must not log them.
    pub fn expose(&self) -> impl ExactSizeIterator<Item = Zeroizing<String>> {
        self.0.iter().map(Code::grouped)
    }
}

/// The digests that a typed code may have been stored as; none if it cannot be a code.
pub(crate) fn candidates(keys: &KeyRing, user: UserId, typed: &str) -> Vec<Digest> {
    Code::parse(typed).map(|code| keys.digests(Purpose::Recovery, &message(user, &code))).unwrap_or_default()
}

fn message(user: UserId, code: &Code) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([user.as_uuid().as_bytes().as_slice(), code.0.as_bytes()].concat())
}

impl Code {
    fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(Error::random)?;
        Ok(Self::encode(&bytes))
    }

    fn encode(bytes: &[u8; BYTES]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(CHARS));
        for chunk in bytes.chunks(5) {
            let block = chunk.iter().fold(0_u64, |block, byte| (block << 8) | u64::from(*byte));
            let digits = (0..8).rev().map(|place| usize::try_from((block >> (5 * place)) & 31).unwrap_or(0));
            text.extend(digits.filter_map(|digit| ALPHABET.get(digit)).map(|letter| char::from(*letter)));
        }
        Self(text)
    }

    fn parse(typed: &str) -> Option<Self> {
        let mut text = Zeroizing::new(String::with_capacity(CHARS));
        // Whoever pastes a page gets an answer after so many characters.
        let letters =
            typed.chars().take(4 * CHARS).filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'));
        for letter in letters {
            let letter = match letter.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            if text.len() == CHARS || !ALPHABET.iter().any(|known| char::from(*known) == letter) {
                return None;
            }
            text.push(letter);
        }
        (text.len() == CHARS).then_some(Self(text))
    }

    fn grouped(&self) -> Zeroizing<String> {
        let mut grouped = Zeroizing::new(String::with_capacity(CHARS + 5));
        for (place, letter) in self.0.chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                grouped.push('-');
            }
            grouped.push(letter);
        }
        grouped
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCodes(..)")
    }
}

#[cfg(test)]
mod tests;
