//! Sealed values and index tags in columns.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use stockade_field_crypto::postgres::{PgKeyStore, reserve_ids};
use stockade_field_crypto::{
    ErrorKind, IndexTag, OpenError, Sealed, SealedText, TenantKeys, Vault, sealed_check, sealed_text_check,
};
use uuid::Uuid;

use super::migrated;
use crate::support::{DriverSsn, DriverSsnIndex, DriverSsnLast4, LedgerMemo, keyring, new_tenant, secret};

const SSN: &str = "078-05-1120";
const INSERT: &str = "INSERT INTO drivers (id, tenant_id, ssn, ssn_index) VALUES ($1, $2, $3, $4)";

/// An application's table, and a tenant whose keys are in the database.
async fn set_up(pool: PgPoolOptions, options: &PgConnectOptions) -> (PgPool, TenantKeys) {
    let pool = migrated(pool, options).await;
    let table = format!(
        "CREATE TABLE drivers (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, ssn bytea CHECK ({}), \
         ssn_index bytea, ssn_last4 bytea, UNIQUE (tenant_id, ssn_index))",
        sealed_check::<DriverSsn>()
    );
    sqlx::query(AssertSqlSafe(table)).execute(&pool).await.unwrap();
    let vault = Vault::new(keyring(), PgKeyStore::new(pool.clone()));
    vault.self_check().await.unwrap();
    let tenant = new_tenant();
    assert_eq!(vault.provision(tenant).await.unwrap().len(), 2);
    let keys = vault.tenant(tenant).await.unwrap();
    (pool, keys)
}

async fn insert(pool: &PgPool, keys: &TenantKeys, ssn: &str) -> Result<Uuid, sqlx::Error> {
    let (id, ssn) = (Uuid::now_v7(), secret(ssn));
    let sealed: Sealed<DriverSsn> = keys.seal(&id, &ssn).unwrap();
    let tag = keys.index::<DriverSsnIndex>(&ssn).unwrap();
    sqlx::query(INSERT).bind(id).bind(keys.tenant().as_uuid()).bind(sealed).bind(tag).execute(pool).await?;
    Ok(id)
}

#[sqlx::test(migrations = false)]
async fn sealed_values_are_stored_and_found(pool: PgPoolOptions, options: PgConnectOptions) {
    let (pool, keys) = set_up(pool, &options).await;
    let id = insert(&pool, &keys, SSN).await.unwrap();
    insert(&pool, &keys, "219-09-9999").await.unwrap();

    let tags = keys.probe::<DriverSsnIndex>(&secret("078051120")).unwrap();
    let (found, sealed, tag): (Uuid, Sealed<DriverSsn>, IndexTag<DriverSsnIndex>) =
        sqlx::query_as("SELECT id, ssn, ssn_index FROM drivers WHERE tenant_id = $1 AND ssn_index = ANY($2)")
            .bind(keys.tenant().as_uuid())
            .bind(&tags)
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!((found, tag), (id, tags[0]));
    assert_eq!(keys.open(&id, &sealed).unwrap().expose(), SSN);

    // The same number again, spelt otherwise, is refused by the unique constraint.
    let duplicate = insert(&pool, &keys, "078 05 1120").await.unwrap_err();
    assert!(duplicate.as_database_error().unwrap().is_unique_violation());

    // A value that somebody moved to another row with SQL does not open there.
    sqlx::query("UPDATE drivers d SET ssn = s.ssn FROM drivers s WHERE s.id = $1 AND d.id <> $1")
        .bind(id)
        .execute(&pool)
        .await
        .unwrap();
    let (other, moved): (Uuid, Sealed<DriverSsn>) =
        sqlx::query_as("SELECT id, ssn FROM drivers WHERE id <> $1").bind(id).fetch_one(&pool).await.unwrap();
    assert_eq!(keys.open(&other, &moved).unwrap_err(), OpenError::Failed);
    assert_eq!(keys.open(&id, &moved).unwrap().expose(), SSN);
}

#[sqlx::test(migrations = false)]
async fn null_and_arrays_and_text_work(pool: PgPoolOptions, options: PgConnectOptions) {
    let (pool, keys) = set_up(pool, &options).await;
    let ids: Vec<Uuid> = (0..500).map(|_| Uuid::now_v7()).collect();
    let sealed: Vec<Sealed<DriverSsn>> = ids.iter().map(|id| keys.seal(id, &secret(SSN)).unwrap()).collect();
    sqlx::query("INSERT INTO drivers (id, tenant_id, ssn) SELECT id, $1, ssn FROM unnest($2::uuid[], $3::bytea[]) AS t (id, ssn)")
        .bind(keys.tenant().as_uuid())
        .bind(&ids)
        .bind(&sealed)
        .execute(&pool)
        .await
        .unwrap();
    let none: Option<Sealed<DriverSsn>> = None;
    let without = Uuid::nil();
    sqlx::query(INSERT)
        .bind(without)
        .bind(keys.tenant().as_uuid())
        .bind(none)
        .bind(None::<IndexTag<DriverSsnIndex>>)
        .execute(&pool)
        .await
        .unwrap();

    let rows: Vec<(Uuid, Option<Sealed<DriverSsn>>)> =
        sqlx::query_as("SELECT id, ssn FROM drivers").fetch_all(&pool).await.unwrap();
    assert_eq!(rows.len(), 501);
    for (id, sealed) in rows {
        match sealed {
            Some(sealed) => assert_eq!(keys.open(&id, &sealed).unwrap().expose(), SSN),
            None => assert_eq!(id, without),
        }
    }
    // The simple protocol sends text.
    let simple = sqlx::raw_sql("SELECT ssn FROM drivers WHERE ssn IS NOT NULL LIMIT 1").fetch_one(&pool).await.unwrap();
    let from_text: Sealed<DriverSsn> = sqlx::Row::get(&simple, 0);
    assert!(sealed.contains(&from_text));
}

#[sqlx::test(migrations = false)]
async fn the_check_refuses_plain_text(pool: PgPoolOptions, options: PgConnectOptions) {
    let (pool, keys) = set_up(pool, &options).await;
    let sealed: Sealed<DriverSsn> = keys.seal(&Uuid::nil(), &secret(SSN)).unwrap();
    let mut other_version = sealed.as_bytes().to_vec();
    other_version[0] = 2;
    let mut key_0 = sealed.as_bytes().to_vec();
    key_0[4] = 0;
    for plain in [
        SSN.as_bytes(),
        b"",
        b"\x01",
        b"a plain text that is longer than the thirty-three bytes",
        sealed.to_text().as_bytes(),
        &sealed.as_bytes()[..32],
        &other_version,
        &key_0,
    ] {
        let refused = sqlx::query("INSERT INTO drivers (id, tenant_id, ssn) VALUES ($1, $1, $2)")
            .bind(Uuid::now_v7())
            .bind(plain)
            .execute(&pool)
            .await
            .unwrap_err();
        assert!(refused.as_database_error().unwrap().is_check_violation(), "{plain:?}");
    }
    let empty: Sealed<DriverSsn> = keys.seal(&Uuid::nil(), &secret("")).unwrap();
    assert_eq!(empty.as_bytes().len(), 33);
    sqlx::query("INSERT INTO drivers (id, tenant_id, ssn) VALUES ($1, $1, $2)")
        .bind(Uuid::nil())
        .bind(empty)
        .execute(&pool)
        .await
        .unwrap();
}

/// What is not a sealed value is an error when it is read, and its content is not in the message.
#[sqlx::test(migrations = false)]
async fn malformed_columns_do_not_decode(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool.connect_with(options).await.unwrap();
    let error =
        sqlx::query_scalar::<_, Sealed<DriverSsn>>("SELECT '078-05-1120'::bytea").fetch_one(&pool).await.unwrap_err();
    let message = error.to_string();
    assert!(message.ends_with("not a sealed value of `drivers.ssn`"), "{message}");
    assert!(!message.contains("078"));
    let error = sqlx::query_scalar::<_, Sealed<DriverSsn>>("SELECT '078-05-1120'::text").fetch_one(&pool).await;
    assert!(!error.unwrap_err().to_string().contains("078"));
    let error = sqlx::query_scalar::<_, IndexTag<DriverSsnIndex>>("SELECT '078-05-1120'::bytea").fetch_one(&pool).await;
    assert!(error.unwrap_err().to_string().ends_with("not an index tag"));
}

#[sqlx::test(migrations = false)]
async fn an_approximate_index_is_searched_and_filtered(pool: PgPoolOptions, options: PgConnectOptions) {
    let (pool, keys) = set_up(pool, &options).await;
    let rows: Vec<_> = (0..4096).map(|number| (Uuid::now_v7(), secret(&format!("219-09-{number:04}")))).collect();
    let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
    let sealed: Vec<Sealed<DriverSsn>> = keys.seal_many(rows.iter().map(|(id, ssn)| (id, ssn))).unwrap();
    let tags: Vec<_> = rows.iter().map(|(_, ssn)| keys.index::<DriverSsnLast4>(ssn).unwrap()).collect();
    sqlx::query(
        "INSERT INTO drivers (id, tenant_id, ssn, ssn_last4) \
         SELECT id, $1, ssn, tag FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) AS t (id, ssn, tag)",
    )
    .bind(keys.tenant().as_uuid())
    .bind(&ids)
    .bind(&sealed)
    .bind(&tags)
    .execute(&pool)
    .await
    .unwrap();

    let search = keys.search::<DriverSsnLast4>(&secret("0042")).unwrap();
    let candidates: Vec<(Uuid, Sealed<DriverSsn>)> =
        sqlx::query_as("SELECT id, ssn FROM drivers WHERE tenant_id = $1 AND ssn_last4 = ANY($2)")
            .bind(keys.tenant().as_uuid())
            .bind(search.tags())
            .fetch_all(&pool)
            .await
            .unwrap();
    assert!(candidates.len() > 1, "with 256 tags for 4096 values some share one");
    let found = search.filter(&keys, candidates, |(id, ssn)| (id, ssn)).all().unwrap();
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[42]]);
}

/// The same values in a column that had to stay text.
#[sqlx::test(migrations = false)]
async fn text_columns_hold_sealed_values(pool: PgPoolOptions, options: PgConnectOptions) {
    let (pool, keys) = set_up(pool, &options).await;
    let table =
        format!("CREATE TABLE old (id uuid PRIMARY KEY, ssn text CHECK ({}))", sealed_text_check::<DriverSsn>());
    sqlx::query(AssertSqlSafe(table)).execute(&pool).await.unwrap();
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    let values: Vec<_> = ids.iter().zip(0..).map(|(id, length)| (*id, secret(&"5".repeat(length)))).collect();
    let sealed: Vec<SealedText<DriverSsn>> =
        values.iter().map(|(id, ssn)| keys.seal(id, ssn).unwrap().into()).collect();
    sqlx::query("INSERT INTO old SELECT * FROM unnest($1::uuid[], $2::text[])")
        .bind(&ids)
        .bind(&sealed)
        .execute(&pool)
        .await
        .unwrap();
    let rows: Vec<(Uuid, Option<SealedText<DriverSsn>>)> =
        sqlx::query_as("SELECT id, ssn::varchar FROM old ORDER BY id").fetch_all(&pool).await.unwrap();
    for ((id, stored), (_, ssn)) in rows.iter().zip(&values) {
        assert_eq!(keys.open(id, stored.as_ref().unwrap().sealed()).unwrap().expose(), ssn.expose());
    }

    let text = sealed[11].to_string();
    let refused = [
        SSN,
        "",
        "fc1.",
        "a plain text that is longer than any sealed value would have to be",
        &text.replace("fc1.", "fc2."),
        &text.replace("fc1.A", "fc1.B"),
        &format!("{text}="),
        &format!("{text}\n"),
        &format!("{text} {SSN}"),
        &format!("{SSN}\n{text}"),
        text.split_at(47).0,
    ];
    for plain in refused {
        let refused = sqlx::query("UPDATE old SET ssn = $1").bind(plain).execute(&pool).await.unwrap_err();
        assert!(refused.as_database_error().unwrap().is_check_violation(), "{plain:?}");
    }
    let error = sqlx::query_scalar::<_, SealedText<DriverSsn>>("SELECT '078-05-1120'").fetch_one(&pool).await;
    let message = error.unwrap_err().to_string();
    assert!(message.ends_with("not a sealed value of `drivers.ssn`") && !message.contains("078"), "{message}");
}

/// A value is bound to its row's number, so the number comes first.
#[sqlx::test(migrations = false)]
async fn numbers_are_reserved_before_their_rows(pool: PgPoolOptions, options: PgConnectOptions) {
    let (pool, keys) = set_up(pool, &options).await;
    for table in [
        "CREATE TABLE ledger (id bigserial PRIMARY KEY, memo bytea NOT NULL)",
        "CREATE TABLE \"Ledger two\" (id bigint GENERATED ALWAYS AS IDENTITY, memo bytea NOT NULL)",
    ] {
        sqlx::query(AssertSqlSafe(table)).execute(&pool).await.unwrap();
    }
    let reserving = (0..8).map(|_| {
        let pool = pool.clone();
        tokio::spawn(async move { reserve_ids(&pool, "public.ledger", "id", 25).await.unwrap() })
    });
    let mut ids = Vec::new();
    for reserved in reserving.collect::<Vec<_>>() {
        ids.extend(reserved.await.unwrap());
    }
    for id in &ids {
        let sealed: Sealed<LedgerMemo> = keys.seal(id, &secret(&format!("memo {id}"))).unwrap();
        sqlx::query("INSERT INTO ledger VALUES ($1, $2)").bind(id).bind(sealed).execute(&pool).await.unwrap();
    }
    // The table goes on after them.
    let next: i64 =
        sqlx::query_scalar("INSERT INTO ledger (memo) VALUES ('') RETURNING id").fetch_one(&pool).await.unwrap();
    ids.sort_unstable();
    assert_eq!((ids, next), ((1..=200).collect(), 201));
    let rows: Vec<(i64, Sealed<LedgerMemo>)> =
        sqlx::query_as("SELECT * FROM ledger WHERE id < 201").fetch_all(&pool).await.unwrap();
    for (id, sealed) in rows {
        assert_eq!(keys.open(&id, &sealed).unwrap().expose(), &format!("memo {id}"));
    }

    assert_eq!(reserve_ids(&pool, "public.\"Ledger two\"", "id", 2).await.unwrap(), [1, 2]);
    assert!(reserve_ids(&pool, "public.ledger", "id", 0).await.unwrap().is_empty());
    let none = reserve_ids(&pool, "public.ledger", "memo", 1).await.unwrap_err();
    assert_eq!((none.kind(), none.is_retryable()), (ErrorKind::Store, false));
    assert_eq!(reserve_ids(&pool, "public.nowhere", "id", 1).await.unwrap_err().kind(), ErrorKind::Store);
}
