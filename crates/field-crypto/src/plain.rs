//! Types that can be sealed.

use std::mem;

use zeroize::{Zeroize, Zeroizing};

/// A plain text: what a column holds before it is sealed and after it is opened.
///
/// Implemented for `String` and `Vec<u8>`. An application's own type may implement it, to keep a checked type such as
/// `Ssn` checked on the way back out of the database.
pub trait Plain: Zeroize + Sized {
    /// The bytes that are encrypted.
    fn as_plain_bytes(&self) -> &[u8];

    /// The value of bytes that were decrypted; `None` if they are not one. Opening such a value fails like any other
    /// failed open, so the reason is lost on purpose.
    fn from_plain_bytes(bytes: Zeroizing<Vec<u8>>) -> Option<Self>;
}

impl Plain for Vec<u8> {
    fn as_plain_bytes(&self) -> &[u8] {
        self
    }

    fn from_plain_bytes(mut bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        Some(mem::take(&mut *bytes))
    }
}

impl Plain for String {
    fn as_plain_bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn from_plain_bytes(mut bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        match Self::from_utf8(mem::take(&mut *bytes)) {
            Ok(text) => Some(text),
            Err(error) => {
                error.into_bytes().zeroize();
                None
            }
        }
    }
}
