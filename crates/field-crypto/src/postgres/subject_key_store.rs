//! Subjects' keys in PostgreSQL.

use uuid::Uuid;

use crate::data_key::Kcv;
use crate::error::{Error, Retry};
use crate::id::{KeyId, SubjectId, TenantId};
use crate::postgres::failure::store_error;
use crate::postgres::key_store::{PgKeyStore, insertion};
use crate::store::{Insertion, SubjectKeyRecord, SubjectKeyState, SubjectKeyStore, SubjectRewrap, SubjectWrappedKey};

/// `subject_id, key_id, state, wrapping_key, wrapped, kcv`.
type SubjectRow = (Uuid, i64, String, i64, Option<Vec<u8>>, Vec<u8>);

const LOAD: &str = "SELECT subject_id, key_id, state, wrapping_key, wrapped, kcv FROM stockade.field_subject_keys \
    WHERE tenant_id = $1 AND subject_id = ANY($2)";
const INSERT: &str = "INSERT INTO stockade.field_subject_keys \
    (tenant_id, subject_id, key_id, state, wrapping_key, wrapped, kcv) \
    VALUES ($1, $2, $3, 'active', $4, $5, $6) ON CONFLICT DO NOTHING";
const TO_REWRAP: &str = "SELECT subject_id, key_id, state, wrapping_key, wrapped, kcv FROM stockade.field_subject_keys \
    WHERE tenant_id = $1 AND wrapping_key <> $2 AND state <> 'destroyed' AND ($3 IS NULL OR subject_id > $3) \
    ORDER BY subject_id LIMIT $4";
const REWRAP: &str = "UPDATE stockade.field_subject_keys k SET wrapping_key = n.becomes_by, wrapped = n.becomes \
    FROM unnest($2::uuid[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[]) \
        AS n (subject_id, was_by, was, becomes_by, becomes) \
    WHERE k.tenant_id = $1 AND k.subject_id = n.subject_id AND k.wrapping_key = n.was_by AND k.wrapped = n.was";

impl SubjectKeyStore for PgKeyStore {
    async fn load_subjects(&self, tenant: TenantId, subjects: &[SubjectId]) -> Result<Vec<SubjectKeyRecord>, Error> {
        let subjects: Vec<Uuid> = subjects.iter().map(|subject| *subject.as_uuid()).collect();
        let rows: Vec<SubjectRow> = sqlx::query_as(LOAD)
            .bind(tenant.as_uuid())
            .bind(subjects)
            .fetch_all(self.pool())
            .await
            .map_err(store_error)?;
        rows.into_iter().map(|row| subject_record(tenant, row)).collect()
    }

    async fn insert_subject(&self, record: &SubjectKeyRecord) -> Result<Insertion, Error> {
        let SubjectKeyState::Active(wrapped) = &record.state else {
            return Err(Error::store("a destroyed key cannot be added", Retry::Never));
        };
        let inserted = sqlx::query(INSERT)
            .bind(record.tenant.as_uuid())
            .bind(record.subject.as_uuid())
            .bind(i64::from(record.key.as_u32()))
            .bind(i64::from(wrapped.by.as_u32()))
            .bind(&wrapped.bytes)
            .bind(record.kcv.as_bytes())
            .execute(self.pool())
            .await
            .map_err(store_error)?;
        Ok(insertion(inserted.rows_affected()))
    }

    async fn subjects_to_rewrap(
        &self,
        tenant: TenantId,
        active: KeyId,
        after: Option<SubjectId>,
    ) -> Result<Vec<SubjectKeyRecord>, Error> {
        let rows: Vec<SubjectRow> = sqlx::query_as(TO_REWRAP)
            .bind(tenant.as_uuid())
            .bind(i64::from(active.as_u32()))
            .bind(after.map(Uuid::from))
            .bind(i64::try_from(Self::PAGE).unwrap_or(i64::MAX))
            .fetch_all(self.pool())
            .await
            .map_err(store_error)?;
        rows.into_iter().map(|row| subject_record(tenant, row)).collect()
    }

    async fn rewrap_subjects(&self, tenant: TenantId, changes: &[SubjectRewrap]) -> Result<u64, Error> {
        let by = |wrapped: &SubjectWrappedKey| i64::from(wrapped.by.as_u32());
        let rewrapped = sqlx::query(REWRAP)
            .bind(tenant.as_uuid())
            .bind(changes.iter().map(|change| *change.subject.as_uuid()).collect::<Vec<_>>())
            .bind(changes.iter().map(|change| by(&change.was)).collect::<Vec<_>>())
            .bind(changes.iter().map(|change| &change.was.bytes).collect::<Vec<_>>())
            .bind(changes.iter().map(|change| by(&change.becomes)).collect::<Vec<_>>())
            .bind(changes.iter().map(|change| &change.becomes.bytes).collect::<Vec<_>>())
            .execute(self.pool())
            .await
            .map_err(store_error)?;
        Ok(rewrapped.rows_affected())
    }
}

fn subject_record(tenant: TenantId, row: SubjectRow) -> Result<SubjectKeyRecord, Error> {
    let (subject, key, state, by, bytes, kcv) = row;
    let state = match (&*state, bytes) {
        ("active", Some(bytes)) => SubjectKeyState::Active(SubjectWrappedKey { by: key_id(by)?, bytes }),
        ("destroyed", None) => SubjectKeyState::Destroyed,
        _ => return Err(unknown("state")),
    };
    let kcv: [u8; 16] = kcv.try_into().map_err(|_| unknown("check value"))?;
    Ok(SubjectKeyRecord::new(tenant, subject.into(), key_id(key)?, state, Kcv::from(kcv)))
}

fn key_id(number: i64) -> Result<KeyId, Error> {
    u32::try_from(number).ok().and_then(KeyId::new).ok_or_else(|| unknown("number"))
}

fn unknown(what: &str) -> Error {
    Error::store(format!("a subject's key has an unknown {what}: is it of a later release?"), Retry::Never)
}
