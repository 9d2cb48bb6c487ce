//! Version 1 of the sealed format: `0x01 ‖ key id u32 BE ‖ nonce 12 ‖ ciphertext ‖ tag 16`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::KeyId;

/// AES-256-GCM with a random 96-bit nonce. `0x02` is reserved for XAES-256-GCM, `0x03` for a committing suite.
pub(crate) const VERSION: u8 = 1;
pub(crate) const HEADER: usize = 5;
pub(crate) const NONCE: usize = 12;
pub(crate) const TAG: usize = 16;
/// What a sealed value has more than its plain text.
pub(crate) const OVERHEAD: usize = HEADER + NONCE + TAG;

/// How the text form begins.
const TEXT_PREFIX: &str = "fc1.";

/// The parts of a sealed value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) key: KeyId,
    pub(crate) nonce: &'a [u8; NONCE],
    pub(crate) ciphertext: &'a [u8],
    pub(crate) tag: &'a [u8; TAG],
}

impl<'a> Envelope<'a> {
    /// Takes a value apart; `None` if it is too short, of another version, or under key 0.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, a, b, c, d], rest) = bytes.split_first_chunk::<HEADER>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>()?;
        if version != VERSION {
            return None;
        }
        let key = KeyId::new(u32::from_be_bytes([a, b, c, d]))?;
        Some(Self { key, nonce, ciphertext, tag })
    }
}

/// The first five bytes of every value under a key.
#[inline]
pub(crate) const fn header(key: KeyId) -> [u8; HEADER] {
    let [a, b, c, d] = key.as_u32().to_be_bytes();
    [VERSION, a, b, c, d]
}

/// The text form.
pub(crate) fn to_text(bytes: &[u8]) -> String {
    let mut text = String::from(TEXT_PREFIX);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

/// The bytes of a text form; `None` unless it is the one text that [`to_text`] writes for them.
#[inline]
pub(crate) fn from_text(text: &[u8]) -> Option<Vec<u8>> {
    let encoded = text.strip_prefix(TEXT_PREFIX.as_bytes())?;
    URL_SAFE_NO_PAD.decode(encoded).ok()
}
