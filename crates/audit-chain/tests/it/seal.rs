//! Sealing, with several sealers, writers and attackers at once.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::PgPool;
use stockade_audit_chain::{
    Conclusion, Finding, Verdict,
    postgres::{Leadership, Sealer, VerifyOptions, record, verify},
};
use uuid::Uuid;

use crate::support::{
    APP, SEALER, append, connect, disarm, entry, findings, install, report, scope, seal, sqlstate, tenant,
};

#[sqlx::test(migrations = false)]
async fn two_sealers_and_eight_writers(pool: PgPool) {
    const WRITERS: u64 = 8;
    const APPENDS: u64 = 60;
    install(&pool).await;
    let writing = Arc::new(AtomicBool::new(true));
    let sealers: Vec<_> = (0..2)
        .map(|_| {
            let (pool, writing) = (pool.clone(), writing.clone());
            tokio::spawn(async move {
                let mut connection = connect(&pool, SEALER).await;
                let sealer = Sealer::new().leadership(Leadership::None).batch(NonZeroU32::new(7).unwrap());
                let mut sealed = 0;
                loop {
                    let last = !writing.load(Ordering::SeqCst);
                    match sealer.seal_pending(&mut connection).await {
                        Ok(done) => {
                            assert_eq!(done.verdicts, []);
                            sealed += done.entries;
                            if last {
                                return sealed;
                            }
                        }
                        Err(error) => assert!(error.is_retryable(), "{error:?}"),
                    }
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut app = connect(&pool, APP).await;
                for number in 0..APPENDS {
                    let tenant = tenant(u128::from((writer + number) % 3));
                    let mut tx = scope(&mut app, tenant).await;
                    record(&mut *tx, &entry(tenant, number)).await.unwrap();
                    if number % 10 == 9 { tx.rollback().await.unwrap() } else { tx.commit().await.unwrap() }
                }
            })
        })
        .collect();

    // A verification beside all this has no reason to complain.
    let mut verifier = connect(&pool, SEALER).await;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let report = verify(&mut verifier, tenant(1), &VerifyOptions::default()).await.unwrap();
        assert!(report.is_intact(), "{:?}", report.verdicts());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    writing.store(false, Ordering::SeqCst);
    let mut sealed = 0;
    for sealer in sealers {
        sealed += sealer.await.unwrap();
    }
    sealed += seal(&pool).await.entries;
    assert_eq!(sealed, WRITERS * APPENDS / 10 * 9);

    let mut checked = 0;
    for number in 0..3 {
        let report = report(&pool, tenant(number)).await;
        assert!(report.is_intact(), "{:?}", report.verdicts());
        assert_eq!((report.unsealed(), report.head().unwrap().seq), (0, report.checked()));
        checked += report.checked();
    }
    assert_eq!(checked, sealed);
    let rows: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM stockade.audit_entry), (SELECT count(*) FROM stockade.audit_unsealed)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(rows, (i64::try_from(sealed).unwrap(), 0));
}

#[sqlx::test(migrations = false)]
async fn a_fork_cannot_be_stored(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 3).await;
    seal(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    for fork in [
        // The same number, the same predecessor, the same entry again.
        "INSERT INTO stockade.audit_link SELECT tenant_id, seq, gen_random_uuid(), sha256('x'), leaf, hash
            FROM stockade.audit_link WHERE seq = 2",
        "INSERT INTO stockade.audit_link SELECT tenant_id, 9, gen_random_uuid(), prev, leaf, hash
            FROM stockade.audit_link WHERE seq = 2",
        "INSERT INTO stockade.audit_link SELECT tenant_id, 9, entry_id, sha256('x'), leaf, hash
            FROM stockade.audit_link WHERE seq = 2",
        // A second chain of the same tenant.
        "INSERT INTO stockade.audit_head SELECT tenant_id, gen_random_uuid(), 0, hash FROM stockade.audit_head",
    ] {
        assert_eq!(sqlstate(sqlx::query(fork).execute(&mut sealer).await), "23505", "{fork}");
    }
    for rewind in ["UPDATE stockade.audit_head SET seq = 2", "UPDATE stockade.audit_head SET hash = sha256('x')"] {
        assert_eq!(sqlstate(sqlx::query(rewind).execute(&mut sealer).await), "42501", "{rewind}");
    }
}

/// The planner knows nothing of a queue that grew since it was last looked at, and must not read all of it for each batch.
#[sqlx::test(migrations = false)]
async fn an_entry_costs_the_same_however_many_wait(pool: PgPool) {
    install(&pool).await;
    let scans = "SELECT coalesce(sum(idx_scan), 0)::bigint FROM pg_stat_user_indexes WHERE relname LIKE 'audit_entry%'";
    for waiting in [500, 4_000] {
        append(&pool, tenant(1), waiting).await;
        let mut sealer = connect(&pool, SEALER).await;
        let before: i64 = sqlx::query_scalar(scans).fetch_one(&pool).await.unwrap();
        assert_eq!(Sealer::new().seal_pending(&mut sealer).await.unwrap().entries, waiting);
        sqlx::raw_sql("SELECT pg_stat_force_next_flush()").execute(&mut sealer).await.unwrap();
        let after: i64 = sqlx::query_scalar(scans).fetch_one(&pool).await.unwrap();
        // The server's own housekeeping looks too, but not at every entry.
        let scans = (after - before).unsigned_abs();
        assert!((waiting..waiting * 3 / 2).contains(&scans), "{waiting} entries were looked for {scans} times");
    }
}

#[sqlx::test(migrations = false)]
async fn order_is_kept(pool: PgPool) {
    install(&pool).await;
    // Within one transaction and one millisecond; across batches; across tenants.
    let mut receipts = append(&pool, tenant(1), 25).await;
    append(&pool, tenant(2), 5).await;
    receipts.extend(append(&pool, tenant(1), 5).await);
    let sealer = Sealer::new().batch(NonZeroU32::new(10).unwrap());
    let sealed = sealer.seal_pending(&mut connect(&pool, SEALER).await).await.unwrap();
    assert_eq!((sealed.entries, sealed.standby), (35, false));
    let order: Vec<Uuid> =
        sqlx::query_scalar("SELECT entry_id FROM stockade.audit_link WHERE tenant_id = $1 ORDER BY seq")
            .bind(Uuid::from(tenant(1)))
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(order, receipts.iter().map(|receipt| receipt.entry_id).collect::<Vec<_>>());
    assert!(report(&pool, tenant(1)).await.is_intact());
}

#[sqlx::test(migrations = false)]
async fn only_one_sealer_works_at_a_time(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    let mut other = connect(&pool, SEALER).await;
    sqlx::query("SELECT pg_advisory_lock(x'463c650c8ef737c8'::bigint)").execute(&mut other).await.unwrap();
    let sealed = seal(&pool).await;
    assert_eq!((sealed.entries, sealed.standby), (0, true));
    sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut other).await.unwrap();
    assert_eq!(seal(&pool).await.entries, 1);
}

#[sqlx::test(migrations = false)]
async fn an_altered_entry_is_sealed_and_reported(pool: PgPool) {
    install(&pool).await;
    let receipts = append(&pool, tenant(1), 3).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    sqlx::query("UPDATE stockade.audit_entry SET action = 'x' WHERE entry_id = $1")
        .bind(receipts[1].entry_id)
        .execute(&mut *superuser)
        .await
        .unwrap();
    let sealed = seal(&pool).await;
    assert_eq!(sealed.entries, 3);
    let [Verdict { seq: Some(2), entry_id, finding: Finding::ContentAltered, .. }] = sealed.verdicts[..] else {
        panic!("{:?}", sealed.verdicts)
    };
    assert_eq!(entry_id, Some(receipts[1].entry_id));
    // The chain holds the leaf of the receipt, so every later verification finds it too.
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(2), Finding::ContentAltered)]);
}

#[sqlx::test(migrations = false)]
async fn queue_rows_of_an_attacker_do_not_stop_sealing(pool: PgPool) {
    install(&pool).await;
    let receipts = append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    // Ids of nothing, an id that is sealed, and an id twice.
    for _ in 0..20 {
        let queue =
            "INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES ($1, gen_random_uuid()), ($1, $2)";
        sqlx::query(queue).bind(Uuid::from(tenant(1))).bind(receipts[0].entry_id).execute(&mut *tx).await.unwrap();
    }
    let receipt = record(&mut *tx, &entry(tenant(1), 3)).await.unwrap();
    let queue = "INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES ($1, $2)";
    sqlx::query(queue).bind(Uuid::from(tenant(1))).bind(receipt.entry_id).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    let sealer = Sealer::new().batch(NonZeroU32::new(4).unwrap());
    let sealed = sealer.seal_pending(&mut connect(&pool, SEALER).await).await.unwrap();
    assert_eq!(sealed.entries, 1);
    // What names nothing stays, because it is also what a removed entry leaves behind, and
    // verification says so.
    let report = report(&pool, tenant(1)).await;
    assert_eq!((report.checked(), report.verdicts().len()), (3, 20));
    assert!(report.verdicts().iter().all(|verdict| verdict.finding == Finding::EntryMissing && verdict.seq.is_none()));
}

#[sqlx::test(migrations = false)]
async fn an_unknown_format_is_sealed_and_neither_right_nor_wrong(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    sqlx::query("UPDATE stockade.audit_entry SET format = 2").execute(&mut *superuser).await.unwrap();
    let sealed = seal(&pool).await;
    assert_eq!((sealed.entries, sealed.verdicts.len()), (2, 2));
    let report = report(&pool, tenant(1)).await;
    let unknown = Finding::UnknownFormat { format: 2 };
    assert_eq!(findings(&report), [(Some(1), unknown.clone()), (Some(2), unknown)]);
    assert_eq!(report.conclusion(), Conclusion::Unverifiable);
}
