//! Sealed values as strings.

use std::borrow::Cow;

use super::{Sealed, SealedText};
use crate::column::Column;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// As its text form.
impl<C: Column> Serialize for Sealed<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

/// From its text form, which is checked. An error does not repeat what was there instead.
impl<'de, C: Column> Deserialize<'de> for Sealed<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let not_sealed = || de::Error::custom(format_args!("not a sealed value of `{}.{}`", C::TABLE, C::COLUMN));
        let text = Cow::<str>::deserialize(deserializer).map_err(|_| not_sealed())?;
        Self::from_text(&text).map_err(|_| not_sealed())
    }
}

impl<C: Column> Serialize for SealedText<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.sealed().serialize(serializer)
    }
}

impl<'de, C: Column> Deserialize<'de> for SealedText<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sealed::deserialize(deserializer).map(Self::from)
    }
}
