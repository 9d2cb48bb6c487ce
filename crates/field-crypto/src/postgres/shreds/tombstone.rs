//! What is kept of a destroyed key outside the database.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use crate::data_key::Kcv;
use crate::error::{Error, Retry};
use crate::id::{KeyId, Purpose, SubjectId};
use crate::postgres::shreds::report::{key_id, purpose, unknown_key};
use crate::postgres::shreds::{ShredId, ShredTarget};

/// A key that a shred has destroyed.
///
/// Its text is one line, `fct1 SHRED TENANT SUBJECT|- EXECUTED_AT KEY OWNER|- PURPOSE KCV`. Nothing in it is secret.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Tombstone {
    /// The shred that destroyed it.
    pub shred: ShredId,
    /// Whose keys that was to destroy.
    pub target: ShredTarget,
    /// When it did.
    pub executed_at: DateTime<Utc>,
    /// The key's number.
    pub key: KeyId,
    /// The subject whose key it was; `None` for one of the tenant.
    pub owner: Option<SubjectId>,
    /// What it was for.
    pub purpose: Purpose,
    /// Its check value.
    pub kcv: Kcv,
}

/// `shred_id, tenant_id, subject_id, ended_at, key_id, owner, purpose, kcv`.
pub(crate) type TombstoneRow = (Uuid, Uuid, Option<Uuid>, DateTime<Utc>, i64, Option<Uuid>, String, Vec<u8>);

const FORM: &str = "fct1";

impl Tombstone {
    pub(crate) fn of(row: TombstoneRow) -> Result<Self, Error> {
        let (shred, tenant, subject, executed_at, key, owner, purpose_name, kcv) = row;
        let of = || {
            Some(Self {
                shred: shred.into(),
                target: ShredTarget::of(tenant, subject),
                executed_at,
                key: key_id(key)?,
                owner: owner.map(SubjectId::from),
                purpose: purpose(&purpose_name)?,
                kcv: <[u8; 16]>::try_from(&*kcv).ok()?.into(),
            })
        };
        of().ok_or_else(unknown_key)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let mut next = || fields.next();
        let form = next()?;
        let tombstone = Self {
            shred: next()?.parse::<Uuid>().ok()?.into(),
            target: ShredTarget::of(next()?.parse().ok()?, optional(next()?)?),
            executed_at: next()?.parse().ok()?,
            key: KeyId::new(next()?.parse().ok()?)?,
            owner: optional(next()?)?.map(SubjectId::from),
            purpose: purpose(next()?)?,
            kcv: kcv(next()?)?,
        };
        (form == FORM && next().is_none()).then_some(tombstone)
    }
}

impl fmt::Display for Tombstone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |id: Option<SubjectId>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let (tenant, subject) = (self.target.tenant(), or_dash(self.target.subject()));
        let executed_at = self.executed_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let (shred, key, owner, purpose, kcv) = (self.shred, self.key, or_dash(self.owner), self.purpose, self.kcv);
        write!(f, "{FORM} {shred} {tenant} {subject} {executed_at} {key} {owner} {purpose} {kcv}")
    }
}

impl FromStr for Tombstone {
    type Err = Error;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(line: &str) -> Result<Self, Error> {
        let tombstone = Self::parse(line).filter(|tombstone| tombstone.to_string() == line);
        tombstone.ok_or_else(|| Error::store("the line is not a tombstone", Retry::Never))
    }
}

/// The tombstones of each shred, in the order of their first ones.
pub(crate) fn by_shred(tombstones: &[Tombstone]) -> Vec<Vec<&Tombstone>> {
    let mut groups: Vec<Vec<&Tombstone>> = Vec::new();
    for tombstone in tombstones {
        let same = |group: &&mut Vec<&Tombstone>| group.first().is_some_and(|first| first.shred == tombstone.shred);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(tombstone),
            None => groups.push(vec![tombstone]),
        }
    }
    groups
}

/// A UUID or a dash.
fn optional(field: &str) -> Option<Option<Uuid>> {
    if field == "-" { Some(None) } else { field.parse().ok().map(Some) }
}

fn kcv(hex: &str) -> Option<Kcv> {
    let digits = hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bytes = u128::from_str_radix(hex, 16).ok()?.to_be_bytes();
    (hex.len() == 32 && digits).then(|| bytes.into())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Tombstone;
    use crate::data_key::DataKey;
    use crate::id::{KeyId, Purpose};
    use crate::postgres::shreds::ShredTarget;

    #[test]
    fn tombstones_are_written_and_read() {
        let tenant = Uuid::from_u128(1).into();
        for (target, owner) in [
            (ShredTarget::Tenant(tenant), None),
            (ShredTarget::Tenant(tenant), Some(Uuid::from_u128(2).into())),
            (ShredTarget::Subject(tenant, Uuid::from_u128(3).into()), Some(Uuid::from_u128(3).into())),
        ] {
            let tombstone = Tombstone {
                shred: Uuid::from_u128(9).into(),
                target,
                executed_at: "2026-01-02T03:04:05.678901Z".parse().unwrap(),
                key: KeyId::new(u32::MAX).unwrap(),
                owner,
                purpose: Purpose::Index,
                kcv: DataKey::from_bytes(&[0; 32]).unwrap().kcv(),
            };
            let line = tombstone.to_string();
            assert_eq!(line.parse::<Tombstone>().unwrap(), tombstone);
            for wrong in [
                format!("{line} x"),
                line.replace("fct1", "fct2"),
                line.replace("678901Z", "678901234Z"),
                line.replace("678901Z", "678901+00:00"),
                line.replace("index", "seal"),
                line.replace('-', ""),
            ] {
                assert!(wrong.parse::<Tombstone>().is_err(), "{wrong}");
            }
            assert!(line.strip_suffix(|_: char| true).unwrap().parse::<Tombstone>().is_err());
        }
    }
}
