//! Sealed values as `bytea` or `text`, and index tags as `bytea`.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::column::Column;
use crate::index::{BlindIndex, IndexTag};
use crate::sealed::{Sealed, SealedText};

impl<C> Type<Postgres> for Sealed<C> {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<Postgres>>::type_info()
    }
}

impl<C> PgHasArrayType for Sealed<C> {
    fn array_type_info() -> PgTypeInfo {
        <Vec<u8> as PgHasArrayType>::array_type_info()
    }
}

impl<C: Column> Encode<'_, Postgres> for Sealed<C> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&[u8] as Encode<'_, Postgres>>::encode(self.as_bytes(), buf)
    }
}

/// Checks the form of the value. Nothing is decrypted here: a row has no tenant and no keys.
impl<C: Column> Decode<'_, Postgres> for Sealed<C> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = <Vec<u8> as Decode<'_, Postgres>>::decode(value)?;
        Self::from_bytes(bytes).map_err(|_| not_sealed::<C>())
    }
}

impl<C> Type<Postgres> for SealedText<C> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <str as Type<Postgres>>::compatible(ty)
    }
}

impl<C> PgHasArrayType for SealedText<C> {
    fn array_type_info() -> PgTypeInfo {
        <String as PgHasArrayType>::array_type_info()
    }
}

impl<C: Column> Encode<'_, Postgres> for SealedText<C> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <String as Encode<'_, Postgres>>::encode(self.sealed().to_text(), buf)
    }
}

/// Checks the form of the value, as for [`Sealed`].
impl<C: Column> Decode<'_, Postgres> for SealedText<C> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<'_, Postgres>>::decode(value)?;
        text.parse().map_err(|_| not_sealed::<C>())
    }
}

impl<I> Type<Postgres> for IndexTag<I> {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<Postgres>>::type_info()
    }
}

impl<I> PgHasArrayType for IndexTag<I> {
    fn array_type_info() -> PgTypeInfo {
        <Vec<u8> as PgHasArrayType>::array_type_info()
    }
}

impl<I: BlindIndex> Encode<'_, Postgres> for IndexTag<I> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&[u8] as Encode<'_, Postgres>>::encode(self.as_bytes(), buf)
    }
}

impl<I: BlindIndex> Decode<'_, Postgres> for IndexTag<I> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = <Vec<u8> as Decode<'_, Postgres>>::decode(value)?;
        Self::from_bytes(&bytes).ok_or_else(|| "not an index tag".into())
    }
}

fn not_sealed<C: Column>() -> BoxDynError {
    format!("not a sealed value of `{}.{}`", C::TABLE, C::COLUMN).into()
}
