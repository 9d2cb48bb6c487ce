//! A plain text in memory.

mod mask;

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

pub use self::mask::Masked;

/// A value that is not for logs, pages or messages.
///
/// It has no `Display`, `Serialize`, `Clone` or `PartialEq`, its `Debug` is `[redacted]`, and it is overwritten when
/// it is dropped. [`expose`](Self::expose) is the one way to the content, so that a reviewer finds every use of it by
/// searching for that word.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value in. Copies that were made of it before are the caller's to clear.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The content.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + AsRef<str>> Secret<T> {
    /// The content for display: all but the last four characters replaced by `*`, separators kept, as in
    /// `***-**-1120`. Fewer than eight characters are replaced altogether. The mask shows the length.
    #[must_use]
    pub fn masked(&self) -> Masked {
        Masked::of(self.0.as_ref())
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> ZeroizeOnDrop for Secret<T> {}

/// For what a request brings in; there is no `Serialize`. An error does not repeat what was there instead. What the
/// format's reader buffered is the caller's to clear.
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl<'de, T: Zeroize + serde::Deserialize<'de>> serde::Deserialize<'de> for Secret<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer)
            .map(Self::new)
            .map_err(|_| serde::de::Error::custom("not a secret of the expected type"))
    }
}
