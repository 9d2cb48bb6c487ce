//! Links made in the application's own transaction.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sqlx::{Connection as _, PgPool};
use stockade_audit_chain::{
    ChainId, ErrorKind, Finding, Head,
    postgres::{Sealer, StrictTransaction, make_durable, record, record_strict},
};
use uuid::Uuid;

use crate::support::{APP, SEALER, append, connect, entry, findings, install, report, scope, seal, sqlstate, tenant};

async fn enter(tx: &mut StrictTransaction<'_>, number: u128) {
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant(number).to_string());
    context.execute(&mut **tx).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn the_link_is_the_one_that_the_sealer_would_make(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let entries: Vec<_> = (1..=3).map(|number| entry(tenant(1), number)).collect();
    let linked = record_strict(&mut *tx, &entries).await.unwrap();
    tx.commit().await.unwrap();
    // This crate's own arithmetic, from the genesis on.
    let chain: Uuid = sqlx::query_scalar("SELECT chain_id FROM stockade.audit_head").fetch_one(&pool).await.unwrap();
    let mut head = Head::genesis(tenant(1), ChainId::from(chain));
    for one in &linked {
        assert_eq!(head.append(one.entry_id, one.leaf).unwrap(), one.link.unwrap());
    }
    // Then the sealer, then again strictly: one chain.
    append(&pool, tenant(1), 2).await;
    assert_eq!(seal(&pool).await.entries, 2);
    let mut tx = StrictTransaction::begin(&mut app).await.unwrap();
    enter(&mut tx, 1).await;
    let linked = tx.commit(&entries).await.unwrap();
    assert_eq!(linked.iter().map(|one| one.link.unwrap().seq).collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(seal(&pool).await.entries, 0);
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!((report.checked(), report.head().unwrap().hash), (8, linked[2].link.unwrap().hash));
}

#[sqlx::test(migrations = false)]
async fn rolls_back_with_the_caller(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    record_strict(&mut *tx, &[entry(tenant(1), 2)]).await.unwrap();
    tx.rollback().await.unwrap();
    let mut dropped = StrictTransaction::begin(&mut app).await.unwrap();
    enter(&mut dropped, 1).await;
    record(&mut *dropped, &entry(tenant(1), 3)).await.unwrap();
    drop(dropped);
    // Refused inside, so nothing of it commits.
    let mut refused = StrictTransaction::begin(&mut app).await.unwrap();
    enter(&mut refused, 1).await;
    record(&mut *refused, &entry(tenant(1), 4)).await.unwrap();
    let error = refused.commit(&[entry(tenant(2), 5)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.audit_entry").fetch_one(&pool).await.unwrap();
    assert_eq!(entries, 1);
    assert_eq!(report(&pool, tenant(1)).await.checked(), 1);
}

/// Committing a savepoint early would commit what is around it.
#[sqlx::test(migrations = false)]
async fn does_not_begin_inside_a_transaction(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut outer = app.begin().await.unwrap();
    assert_eq!(StrictTransaction::begin(&mut outer).await.unwrap_err().kind(), ErrorKind::Refused);
}

#[sqlx::test(migrations = false)]
async fn links_nothing_of_another_tenant_and_nothing_twice(pool: PgPool) {
    install(&pool).await;
    let foreign = append(&pool, tenant(2), 1).await[0].entry_id;
    let own = append(&pool, tenant(1), 1).await[0].entry_id;
    seal(&pool).await;
    let mut app = connect(&pool, APP).await;
    for (ids, code) in [(vec![foreign], "42501"), (vec![Uuid::nil()], "42501"), (vec![own], "23505"), (vec![], "42501")]
    {
        let mut tx = scope(&mut app, tenant(1)).await;
        let link = sqlx::query("SELECT stockade.audit_link_now($1)").bind(&ids).execute(&mut *tx).await;
        assert_eq!(sqlstate(link), code, "{ids:?}");
    }
    // Without a tenant there is nothing to link; the sealer has no business here, and nobody is the linker.
    let link = "SELECT stockade.audit_link_now(ARRAY[gen_random_uuid()])";
    assert_eq!(sqlstate(sqlx::query(link).execute(&mut app).await), "42501");
    let mut sealer = connect(&pool, SEALER).await;
    assert_eq!(sqlstate(sqlx::query(link).execute(&mut sealer).await), "42501");
    assert_eq!(sqlstate(sqlx::query("SET ROLE stockade_linker").execute(&mut app).await), "42501");
    for number in [1, 2] {
        assert_eq!(report(&pool, tenant(number)).await.checked(), 1);
    }
}

/// A link that did not move the head has the place: the caller is not to blame, writes nothing, and may try again.
#[sqlx::test(migrations = false)]
async fn a_place_that_is_taken_is_contention(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let waiting = append(&pool, tenant(1), 1).await[0];
    let mut head = *report(&pool, tenant(1)).await.head().unwrap();
    let link = head.append(waiting.entry_id, waiting.leaf).unwrap();
    let mut sealer = connect(&pool, SEALER).await;
    sqlx::query(
        "INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash) VALUES ($1, 2, $2, $3, $4, $5)",
    )
    .bind(Uuid::from(tenant(1)))
    .bind(link.entry_id)
    .bind(&link.prev.as_bytes()[..])
    .bind(&link.leaf.as_bytes()[..])
    .bind(&link.hash.as_bytes()[..])
    .execute(&mut sealer)
    .await
    .unwrap();
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let error = record_strict(&mut *tx, &[entry(tenant(1), 3)]).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Contended, true), "{error}");
    tx.rollback().await.unwrap();
    let mut tx = StrictTransaction::begin(&mut app).await.unwrap();
    enter(&mut tx, 1).await;
    assert_eq!(tx.commit(&[entry(tenant(1), 3)]).await.unwrap_err().kind(), ErrorKind::Contended);
    sqlx::query("UPDATE stockade.audit_head SET seq = 2, hash = $1")
        .bind(&link.hash.as_bytes()[..])
        .execute(&mut sealer)
        .await
        .unwrap();
    let mut tx = StrictTransaction::begin(&mut app).await.unwrap();
    enter(&mut tx, 1).await;
    assert_eq!(tx.commit(&[entry(tenant(1), 3)]).await.unwrap()[0].link.unwrap().seq, 3);
    assert!(report(&pool, tenant(1)).await.is_intact());
}

/// Strict and deferred writers, with and without early release, beside two sealers.
#[sqlx::test(migrations = false)]
async fn both_ways_of_sealing_make_one_chain(pool: PgPool) {
    const WRITERS: u64 = 6;
    const APPENDS: u64 = 40;
    install(&pool).await;
    let writing = Arc::new(AtomicBool::new(true));
    let sealer = {
        let (pool, writing) = (pool.clone(), writing.clone());
        tokio::spawn(async move {
            let mut connection = connect(&pool, SEALER).await;
            while writing.load(Ordering::SeqCst) {
                match Sealer::new().seal_pending(&mut connection).await {
                    Ok(sealed) => assert_eq!(sealed.verdicts, []),
                    Err(error) => assert!(error.is_retryable(), "{error:?}"),
                }
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut app = connect(&pool, APP).await;
                for number in 0..APPENDS {
                    let entry = [entry(tenant(1), number)];
                    if writer % 3 == 0 {
                        let mut tx = StrictTransaction::begin(&mut app).await.unwrap();
                        enter(&mut tx, 1).await;
                        tx.commit(&entry).await.unwrap();
                        continue;
                    }
                    let mut tx = scope(&mut app, tenant(1)).await;
                    if writer % 3 == 1 {
                        record(&mut *tx, &entry[0]).await.unwrap();
                    } else {
                        record_strict(&mut *tx, &entry).await.unwrap();
                    }
                    if number % 8 == 7 { tx.rollback().await.unwrap() } else { tx.commit().await.unwrap() }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    writing.store(false, Ordering::SeqCst);
    sealer.await.unwrap();
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!((report.checked(), report.unsealed()), (2 * APPENDS + 4 * APPENDS / 8 * 7, 0));
}

/// What the application can hold up is its own tenant.
#[sqlx::test(migrations = false)]
async fn a_strict_transaction_that_stays_open_stops_no_other_tenant(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 30).await;
    append(&pool, tenant(2), 3).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    record_strict(&mut *tx, &[entry(tenant(1), 31)]).await.unwrap();
    let sealer = Sealer::new().batch(std::num::NonZeroU32::new(10).unwrap());
    let sealed = sealer.seal_pending(&mut connect(&pool, SEALER).await).await.unwrap();
    assert_eq!(sealed.entries, 3);
    tx.commit().await.unwrap();
    assert_eq!(seal(&pool).await.entries, 30);
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
}

/// Without the commit there is no durable past: inside a transaction the barrier has not waited yet.
#[sqlx::test(migrations = false)]
async fn anybody_can_wait_for_the_disk(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    sqlx::query("SET synchronous_commit = off").execute(&mut app).await.unwrap();
    let mut tx = scope(&mut app, tenant(1)).await;
    record(&mut *tx, &entry(tenant(1), 1)).await.unwrap();
    tx.commit().await.unwrap();
    let end: String = sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text").fetch_one(&pool).await.unwrap();
    make_durable(&mut app).await.unwrap();
    let durable: bool = sqlx::query_scalar("SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn")
        .bind(end)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(durable);
    // And the connection is as it was.
    let setting: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut app).await.unwrap();
    assert_eq!(setting, "off");
}

#[sqlx::test(migrations = false)]
async fn an_entry_whose_content_is_not_its_leaf_is_found(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    // The application writes what it likes, links it, and verification reads it.
    let forged =
        "WITH e AS (INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity,
            outcome, actor_kind, actor_id, leaf)
        VALUES ($2, $1, 1, $3, 'x', 0, 'success', 'user', 'u', sha256('x'))
        RETURNING entry_id)
        SELECT stockade.audit_link_now(array_agg(entry_id)) FROM e";
    let now = chrono::DateTime::from_timestamp_millis(chrono::Utc::now().timestamp_millis()).unwrap();
    let id = entry(tenant(1), 1).record_at(now).unwrap().entry_id();
    let forged = sqlx::query(forged).bind(Uuid::from(tenant(1))).bind(id).bind(now);
    forged.execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(1), Finding::ContentAltered)]);
}
