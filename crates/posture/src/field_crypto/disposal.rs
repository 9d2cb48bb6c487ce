//! The control `crypto.disposal`: a key that was destroyed on purpose, and those that were destroyed before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_field_crypto::{
    Kms, OpenError, Secret, SubjectId, SubjectKeyStore, TenantId, Unbound, Vault, columns,
    postgres::{Execution, PgShreds, Retention, SealedColumns, ShredRequest, ShredTarget},
};
use uuid::Uuid;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "field_crypto.disposal";
const RECORDS: &str = "field_crypto.shreds";

const CONTROLS: [ControlId; 1] = [ControlId::CRYPTO_DISPOSAL];

/// Executed shreds, each with how many of its target's keys are there all the same.
const SHREDS: &str = "
    SELECT s.shred_id, s.ended_at,
           (SELECT count(*) FROM stockade.field_keys k
             WHERE s.subject_id IS NULL AND k.tenant_id = s.tenant_id AND k.state <> 'destroyed')
         + (SELECT count(*) FROM stockade.field_subject_keys k
             WHERE k.tenant_id = s.tenant_id AND (s.subject_id IS NULL OR k.subject_id = s.subject_id) AND k.state <> 'destroyed') AS living
      FROM stockade.field_shreds s
     WHERE s.state = 'executed'
     ORDER BY s.ended_at DESC, s.shred_id";

columns! {
    /// The value of the test. It is sealed and opened in memory and stored nowhere.
    Scratch = "stockade_posture"."disposal": String, row = Unbound, subject;
}

/// Who destroys keys: the two halves that no one role holds.
#[derive(Debug, Clone, Copy)]
pub struct Shredding<'a> {
    /// For a role in `stockade_keyring`, which schedules.
    pub planner: &'a PgShreds,
    /// For a role in `stockade_shredder`, which destroys.
    pub shredder: &'a PgShreds,
}

/// Measures `crypto.disposal` by doing it: a key is made for a subject that nobody is, a value is sealed under it and opened,
/// the key is shredded without a grace, and the value must not open any more.
///
/// **It writes**, and what it writes stays: `scratch` is a tenant that nobody has, whose keys are made at the first test, and each test
/// leaves a destroyed key and an executed shred in it, as every shred does. The control's evidence counts for 90 days, so once
/// a month is often enough. The test goes the way of a request to forget a person: the vault, its key service and cache, the key
/// store, both roles. It does not show that backups without the key have run out.
pub fn disposal<'a, K: Kms, S: SubjectKeyStore>(
    vault: &'a Vault<K, S>,
    shredding: Shredding<'a>,
    scratch: TenantId,
) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| destroy(vault, shredding, scratch, at).await)
}

async fn destroy<K: Kms, S: SubjectKeyStore>(
    vault: &Vault<K, S>,
    shredding: Shredding<'_>,
    scratch: TenantId,
    at: DateTime<Utc>,
) -> Result<Vec<Observation>, Error> {
    // The nanoseconds since 1970 name no other test of this tenant.
    let subject = SubjectId::from(Uuid::from_u128(at.timestamp_nanos_opt().unwrap_or_default().unsigned_abs().into()));
    vault.provision(scratch).await.map_err(unreadable)?;
    if vault.provision_subject(scratch, subject).await.map_err(unreadable)?.is_none() {
        return Err(Error::unavailable("the subject of the test was there before"));
    }
    let keys = vault.subject(scratch, subject).await.map_err(unreadable)?;
    let secret = Secret::new("to be forgotten".to_owned());
    let sealed = keys.seal::<Scratch>(&Unbound, &secret).map_err(unreadable)?;
    // Without this control, a value that never opened would look like one that was destroyed.
    if keys.open::<Scratch>(&Unbound, &sealed).is_err() {
        return Err(Error::unavailable("the value of the test did not open before its key was destroyed"));
    }
    drop(keys);

    let target = ShredTarget::Subject(scratch, subject);
    let request = ShredRequest::new(target, "disposal test", NAME).map_err(unreadable)?.grace(Duration::ZERO);
    let shred = shredding.planner.schedule(&request).await.map_err(unreadable)?;
    let columns = SealedColumns::new();
    let done = shredding.shredder.execute(shred.id, NAME, &columns, Retention::Unlimited).await;
    let destroyed = match done.map_err(unreadable)? {
        Execution::Executed(report) => report.keys.len(),
        _ => return Err(Error::unavailable("the shred of the test was not executed")),
    };
    vault.evict_subject(scratch, subject);
    let after = vault.subject(scratch, subject).await.map_err(unreadable)?.open::<Scratch>(&Unbound, &sealed);

    let (control, name) = (ControlId::CRYPTO_DISPOSAL, Subject::new("disposal test"));
    let seen = match after {
        Err(OpenError::Destroyed) => Observation::pass(control, name, at),
        Ok(_) => Observation::fail(control, name, at, "the value still opens after its key was shredded"),
        Err(_) => {
            Observation::unknown(control, name, at, "the value does not open, but not because its key is destroyed")
        }
    };
    Ok(vec![seen.fact("destroyed_keys", destroyed).by(NAME)])
}

/// Measures `crypto.disposal` by the record: that no key of an executed shred is there all the same, as it would be after a restore whose
/// tombstones were not [replayed](PgShreds::replay).
///
/// Read-only, for a role in `stockade_keyring`. Each shred with a living key is a failure of its own; otherwise there is one
/// observation, as old as the last shred. It shows that keys are gone from the tables, not that a value does not open: the
/// test is [`disposal`].
pub fn shreds(connection: &mut PgConnection) -> impl Collector {
    from_fn(RECORDS, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let rows = sqlx::query_as(SHREDS).fetch_all(&mut *reading).await.map_err(unreadable);
        let rows: Vec<(Uuid, Option<DateTime<Utc>>, i64)> = close(reading, rows).await?;
        let control = ControlId::CRYPTO_DISPOSAL;
        let risen = rows.iter().filter(|(.., living)| *living > 0).map(|(shred, _, living)| {
            let reason = "keys that it destroyed are there again";
            Observation::fail(control, Subject::new(format!("shred {shred}")), at, reason).fact("keys", *living)
        });
        let mut seen: Vec<Observation> = risen.map(|seen| seen.by(RECORDS)).collect();
        if let (true, Some((_, ended, _))) = (seen.is_empty(), rows.first()) {
            let pass = Observation::pass(control, Subject::new("executed shreds"), ended.unwrap_or(at));
            seen.push(pass.fact("shreds", rows.len()).by(RECORDS));
        }
        Ok(seen)
    })
}
