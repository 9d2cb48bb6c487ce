//! The control `crypto.rotation`: the age of key-encryption keys, and keys that should be out of use.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use stockade_field_crypto::postgres::{ColumnCoverage, SealedColumns};
use uuid::Uuid;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "field_crypto.rotation";

const CONTROLS: [ControlId; 1] = [ControlId::CRYPTO_ROTATION];

/// The key-encryption keys that were not forgotten, or that wrap a key all the same.
const KEKS: &str = "
    SELECT coalesce(k.kek_id, w.kek_id) AS name, k.created_at, k.forgotten_at IS NOT NULL AS forgotten, coalesce(w.keys, 0) AS wraps
      FROM stockade.field_keks k
      FULL JOIN (SELECT f.kek_id, count(*) AS keys FROM stockade.field_keys f WHERE f.state <> 'destroyed' GROUP BY 1) AS w
        ON w.kek_id = k.kek_id
     WHERE k.forgotten_at IS NULL OR w.keys > 0
     ORDER BY 1";

const RETIRED: &str =
    "SELECT f.tenant_id, f.key_id FROM stockade.field_keys f WHERE f.state = 'retired' ORDER BY f.tenant_id, f.key_id";

#[derive(Debug, sqlx::FromRow)]
struct Kek {
    name: String,
    created_at: Option<DateTime<Utc>>,
    forgotten: bool,
    wraps: i64,
}

/// Measures `crypto.rotation`: that no key-encryption key that wraps keys is older than `limit`, that none wraps keys which the key
/// store has forgotten or does not know, and that no value of a registered column is under a key that was retired.
///
/// The age of a key-encryption key counts from when the key store first saw it: a key of before that is older than it looks. Retired keys
/// are looked for in the sealed columns; tags of blind indexes are not read.
pub fn rotation<'a>(
    connection: &'a mut PgConnection,
    columns: &'a SealedColumns,
    limit: TimeDelta,
) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = measure(&mut reading, columns, limit, at).await;
        close(reading, seen).await
    })
}

async fn measure(
    reading: &mut PgConnection,
    columns: &SealedColumns,
    limit: TimeDelta,
    at: DateTime<Utc>,
) -> Result<Vec<Observation>, Error> {
    let keks: Vec<Kek> = sqlx::query_as(KEKS).fetch_all(&mut *reading).await.map_err(unreadable)?;
    let retired: Vec<(Uuid, i64)> = sqlx::query_as(RETIRED).fetch_all(&mut *reading).await.map_err(unreadable)?;
    let mut seen: Vec<Observation> = keks.iter().map(|kek| kek.judge(limit, at)).collect();
    if !retired.is_empty() {
        let coverage = columns.coverage(reading).await.map_err(unreadable)?;
        seen.extend(in_use(&retired, &coverage, at));
    }
    Ok(seen)
}

impl Kek {
    fn judge(&self, limit: TimeDelta, at: DateTime<Utc>) -> Observation {
        let control = ControlId::CRYPTO_ROTATION;
        let subject = Subject::new(format!("key-encryption key {}", self.name));
        let fail = |reason| Observation::fail(control, subject.clone(), at, reason);
        let age = self.created_at.map(|created| at.signed_duration_since(created));
        let seen = match age {
            None => fail("it wraps keys, and the key store does not know it"),
            Some(_) if self.forgotten => fail("it wraps keys, although it was forgotten"),
            Some(age) if age > limit && self.wraps > 0 => fail("it is older than its limit and still wraps keys")
                .remedy("make another key the primary one, then Vault::rewrap and Vault::forget_kek"),
            Some(_) => Observation::pass(control, subject, at),
        };
        let seen = seen.fact("keys", self.wraps).fact("limit_days", limit.num_days()).by(NAME);
        if let Some(age) = age { seen.fact("age_days", age.num_days()) } else { seen }
    }
}

/// Each retired key, with the values that are still under it.
fn in_use(retired: &[(Uuid, i64)], coverage: &[ColumnCoverage], at: DateTime<Utc>) -> Vec<Observation> {
    let retired: BTreeSet<(Uuid, i64)> = retired.iter().copied().collect();
    let mut uses: BTreeMap<(Uuid, i64), u64> = BTreeMap::new();
    for tenant in coverage.iter().flat_map(|column| &column.tenants) {
        for (key, rows) in &tenant.older {
            let key = (*tenant.tenant.as_uuid(), i64::from(key.as_u32()));
            if retired.contains(&key) {
                *uses.entry(key).or_default() += rows;
            }
        }
    }
    let judge = |key: (Uuid, i64)| {
        let subject = Subject::new(format!("retired key {} of tenant {}", key.1, key.0));
        let seen = match uses.get(&key) {
            None => Observation::pass(ControlId::CRYPTO_ROTATION, subject, at),
            Some(values) => {
                let reason = "values are still under it";
                Observation::fail(ControlId::CRYPTO_ROTATION, subject, at, reason)
                    .fact("values", *values)
                    .remedy("Rewriter::rewrite for the tenant")
            }
        };
        seen.by(NAME)
    };
    retired.iter().copied().map(judge).collect()
}
