//! The same entries, recorded into both databases.

use chrono::Utc;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use sqlx::{Connection as _, PgPool, Row as _};
use stockade_audit_chain::{Digest, Head, csv, postgres, sqlite};
use uuid::Uuid;

use crate::{
    entries::any_entry,
    support::{Log, tenant},
};

/// Ids, salts and so commitments are random, so two recordings of one entry differ there. Every
/// other stored column must be the same text, and what PostgreSQL stored must, copied into SQLite,
/// have the leaf that PostgreSQL computed and the link that its sealer made.
#[sqlx::test(migrations = false)]
async fn an_entry_has_the_same_bytes_in_both_databases(pool: PgPool) {
    postgres::migrator().run(&pool).await.unwrap();
    let log = Log::new().await;
    let mut lite = log.connect().await;
    let mut server = pool.acquire().await.unwrap();
    let (mut runner, now) = (TestRunner::deterministic(), Utc::now());
    let mut tx = lite.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for _ in 0..100 {
        let entry = any_entry().new_tree(&mut runner).unwrap().current();
        let one = postgres::record_at(&mut *server, &entry, now).await.unwrap();
        let other = sqlite::record_at(&mut tx, &entry, now).await.unwrap();
        assert_eq!(one.recorded_at, other.recorded_at);

        let columns = "SELECT concat_ws('|', format, extract(epoch FROM recorded_at)::numeric * 1000,
                extract(epoch FROM occurred_at)::numeric * 1000, action, severity, outcome, actor_kind, actor_id,
                actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status, request_id,
                before::text, after::text, changes::text, array_to_string(personal_paths, ','))
            FROM stockade.audit_entry WHERE entry_id = $1";
        let one: String = sqlx::query_scalar(columns).bind(one.entry_id).fetch_one(&mut *server).await.unwrap();
        let columns = "SELECT concat_ws('|', format, recorded_at || '.000', occurred_at || '.000', action, severity,
                outcome, actor_kind, actor_id, actor_role, on_behalf_of, impersonation, entity_type, entity_id, method,
                endpoint, status, request_id, before, after, changes,
                (SELECT group_concat(path, ',' ORDER BY path) FROM stockade_audit_payload p WHERE p.entry_id = e.entry_id))
            FROM stockade_audit_entry e WHERE entry_id = ?1";
        let other: String = sqlx::query_scalar(columns).bind(other.entry_id).fetch_one(&mut *tx).await.unwrap();
        let trimmed = |text: &str| text.replace(".000|", "|").replace(".000000|", "|").replace(".0000|", "|");
        assert_eq!(trimmed(&one), trimmed(&other));
    }
    tx.commit().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_log_that_is_copied_over_has_the_same_leaves_links_and_head(pool: PgPool) {
    postgres::migrator().run(&pool).await.unwrap();
    let log = Log::new().await;
    let mut lite = log.connect().await;
    let mut server = pool.acquire().await.unwrap().detach();
    let mut runner = TestRunner::deterministic();
    for _ in 0..50 {
        let entry = any_entry().new_tree(&mut runner).unwrap().current();
        postgres::record(&mut server, &entry).await.unwrap();
    }
    postgres::Sealer::new().seal_pending(&mut server).await.unwrap();
    let options = postgres::VerifyOptions::new();
    let expected = postgres::verify(&mut server, tenant(1), &options).await.unwrap();

    copy(&mut server, &mut lite).await;
    let report = sqlite::verify(&mut lite, tenant(1), &sqlite::VerifyOptions::new()).await.unwrap();
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!((report.head(), report.checked()), (expected.head(), 50));
    let whole = sqlite::Filter::new(tenant(1)).limit(100.try_into().unwrap());
    let (one, other) =
        (postgres::search(&mut server, &whole).await.unwrap(), sqlite::search(&mut lite, &whole).await.unwrap());
    assert_eq!(one, other);
    assert_eq!(csv(&one.rows), csv(&other.rows));
}

/// The rows of a log in PostgreSQL, as SQLite holds them.
async fn copy(server: &mut sqlx::PgConnection, lite: &mut sqlx::SqliteConnection) {
    let head = sqlx::query("SELECT chain_id FROM stockade.audit_head").fetch_one(&mut *server).await.unwrap();
    let genesis = Head::genesis(tenant(1), head.get::<Uuid, _>(0).into());
    let begin = sqlx::query("INSERT INTO stockade_audit_head VALUES (?1, ?2, 0, ?3)");
    let begin = begin.bind(Uuid::from(tenant(1))).bind(genesis.chain.as_uuid()).bind(genesis.hash.as_bytes().to_vec());
    begin.execute(&mut *lite).await.unwrap();
    let rows = "SELECT entry_id, tenant_id, format::int, (extract(epoch FROM recorded_at) * 1000)::bigint,
            (extract(epoch FROM occurred_at) * 1000)::bigint, action, severity::int, outcome, actor_kind, actor_id,
            actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status::int, request_id,
            before::text, after::text, changes::text,
            (SELECT string_agg(int2send(octet_length(p.path)::int2) || convert_to(p.path, 'UTF8') || c.commitment, ''
                ORDER BY c.n) FROM unnest(personal_paths) WITH ORDINALITY AS p (path, n)
                JOIN unnest(commitments) WITH ORDINALITY AS c (commitment, n) USING (n)),
            e.leaf, l.seq, l.prev, l.hash, personal_paths, field_values, salts
        FROM stockade.audit_entry e JOIN stockade.audit_link l USING (entry_id, tenant_id)
        LEFT JOIN stockade.audit_payload p USING (entry_id, tenant_id) ORDER BY l.seq";
    for row in sqlx::query(rows).fetch_all(server).await.unwrap() {
        let mut entry = sqlx::query(
            "INSERT INTO stockade_audit_entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
            ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        );
        for column in 0..24 {
            entry = match column {
                0 | 1 => entry.bind(row.get::<Uuid, _>(column)),
                2 | 6 | 17 => entry.bind(row.get::<Option<i32>, _>(column)),
                3 | 4 => entry.bind(row.get::<Option<i64>, _>(column)),
                22 | 23 => entry.bind(row.get::<Option<Vec<u8>>, _>(column)),
                _ => entry.bind(row.get::<Option<String>, _>(column)),
            };
        }
        entry.execute(&mut *lite).await.unwrap();
        let id: Uuid = row.get(0);
        let paths: Vec<String> = row.get::<Option<_>, _>(27).unwrap_or_default();
        let values: Vec<Vec<u8>> = row.get::<Option<_>, _>(28).unwrap_or_default();
        let salts: Vec<Vec<u8>> = row.get::<Option<_>, _>(29).unwrap_or_default();
        for ((path, value), salt) in paths.into_iter().zip(values).zip(salts) {
            let payload = sqlx::query("INSERT INTO stockade_audit_payload VALUES (?1, ?2, ?3, ?4)");
            payload.bind(id).bind(path).bind(value).bind(salt).execute(&mut *lite).await.unwrap();
        }
        let link = sqlx::query("INSERT INTO stockade_audit_link VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            .bind(row.get::<Uuid, _>(1))
            .bind(row.get::<i64, _>(24))
            .bind(id)
            .bind(row.get::<Vec<u8>, _>(25))
            .bind(row.get::<Vec<u8>, _>(23))
            .bind(row.get::<Vec<u8>, _>(26));
        link.execute(&mut *lite).await.unwrap();
        Digest::try_from(row.get::<&[u8], _>(26)).unwrap();
    }
}
