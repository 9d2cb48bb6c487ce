//! Verification of parts of a chain, of all tenants at once, and a little at a time.

use std::{
    collections::BTreeMap,
    num::{NonZeroU64, NonZeroUsize},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use stockade_audit_chain::{
    Actor, Digest, ErasureRequest, ErrorKind, Finding, Head,
    postgres::{IncrementalVerifier, Progress, Subject, VerifyOptions, Work, erase, verify, verify_all},
};

use crate::support::{APP, ERASER, SEALER, append, connect, disarm, findings, install, report, seal, tenant};

async fn log(pool: &PgPool) -> Head {
    install(pool).await;
    append(pool, tenant(1), 5).await;
    seal(pool).await;
    let middle = *report(pool, tenant(1)).await.head().unwrap();
    append(pool, tenant(1), 15).await;
    append(pool, tenant(2), 7).await;
    append(pool, tenant(3), 1).await;
    seal(pool).await;
    middle
}

#[sqlx::test(migrations = false)]
async fn a_part_is_verified_from_a_known_hash(pool: PgPool) {
    let middle = log(&pool).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let part = |after: Head, until| VerifyOptions::new().part(after, until);
    for (until, checked) in [(None, 15), (Some(20), 15), (Some(6), 1), (Some(99), 15)] {
        let report = verify(&mut superuser, tenant(1), &part(middle, until)).await.unwrap();
        assert!(report.is_intact(), "{until:?} {:?}", report.verdicts());
        assert_eq!(report.checked(), checked);
    }
    // From another hash the first link does not follow.
    let wrong = Head { hash: Digest::leaf(b""), ..middle };
    let found = verify(&mut superuser, tenant(1), &part(wrong, None)).await.unwrap();
    assert_eq!(findings(&found), [(Some(6), Finding::LinkBroken)]);
    // What is altered inside is found, what is altered outside is not looked at, and missing links are missed at the end.
    let alter =
        "UPDATE stockade.audit_entry SET action = 'x' WHERE entry_id = (SELECT entry_id FROM stockade.audit_link
        WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 8)";
    sqlx::raw_sql(alter).execute(&mut superuser).await.unwrap();
    let found = verify(&mut superuser, tenant(1), &part(middle, Some(8))).await.unwrap();
    assert_eq!(findings(&found), [(Some(8), Finding::ContentAltered)]);
    assert!(verify(&mut superuser, tenant(1), &part(middle, Some(7))).await.unwrap().is_intact());
    let delete = "DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 7";
    sqlx::raw_sql(delete).execute(&mut superuser).await.unwrap();
    let found = verify(&mut superuser, tenant(1), &part(middle, Some(7))).await.unwrap();
    assert!(findings(&found).contains(&(Some(7), Finding::LinkMissing { through: 7 })));
}

/// What was kept elsewhere is judged as far as the part reaches, and never wrongly.
#[sqlx::test(migrations = false)]
async fn a_kept_head_outside_a_part_raises_no_false_alarm(pool: PgPool) {
    let middle = log(&pool).await;
    let end = *report(&pool, tenant(1)).await.head().unwrap();
    let mut sealer = connect(&pool, SEALER).await;
    let other = Digest::leaf(b"");
    let (beyond, until) = (Head { seq: 99, ..end }, Some(8));
    let replaced = (Some(5), Finding::HistoryReplaced);
    let cases = [
        (middle, None, None),
        (end, None, None),
        (end, until, None),
        (Head { hash: other, ..end }, until, None),
        (Head { seq: 2, hash: other, ..end }, None, None),
        (Head { hash: other, ..middle }, None, Some(replaced)),
        (Head { hash: other, ..end }, None, Some((Some(20), Finding::HistoryReplaced))),
        (beyond, None, Some((Some(20), Finding::Truncated { kept: 99 }))),
        (beyond, until, Some((Some(8), Finding::Truncated { kept: 99 }))),
    ];
    for (kept, until, expected) in cases {
        let options = VerifyOptions::new().part(middle, until).kept_head(kept);
        let found = findings(&verify(&mut sealer, tenant(1), &options).await.unwrap());
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{kept:?} {until:?}");
    }
}

const LOG: [(u128, u64); 3] = [(1, 20), (2, 7), (3, 1)];

async fn everyone(pool: &PgPool, connections: usize, spawn: impl FnMut(Work)) -> Vec<(u128, u64)> {
    let connections = NonZeroUsize::new(connections).unwrap();
    let reports = verify_all(pool, &VerifyOptions::new(), connections, spawn).await.unwrap();
    assert!(reports.iter().all(|report| report.is_intact()));
    reports.iter().map(|report| (report.tenant().as_uuid().as_u128(), report.checked())).collect()
}

#[sqlx::test(migrations = false)]
async fn all_tenants_are_verified_by_tasks_beside_each_other(pool: PgPool) {
    log(&pool).await;
    for (connections, expected) in [(1, 0), (2, 1), (3, 2), (99, 2)] {
        let shares = AtomicUsize::new(0);
        let spawn = |work| {
            shares.fetch_add(1, Ordering::Relaxed);
            drop(tokio::spawn(work));
        };
        assert_eq!(everyone(&pool, connections, spawn).await, LOG);
        assert_eq!(shares.into_inner(), expected, "no more than there are tenants");
    }
    // A share that its task drops, before it began or with a tenant in hand, is done by the others.
    assert_eq!(everyone(&pool, 3, drop).await, LOG);
    let cut = |work| drop(tokio::spawn(tokio::time::timeout(Duration::from_millis(2), work)));
    assert_eq!(everyone(&pool, 3, cut).await, LOG);
}

/// A pool of one connection serves, however long a verification takes, and so does one that somebody else is using.
#[sqlx::test(migrations = false)]
async fn all_tenants_are_verified_over_one_connection(pool: PgPool) {
    log(&pool).await;
    let small = |most| {
        let options = PgPoolOptions::new().max_connections(most).acquire_timeout(Duration::from_millis(200));
        options.connect_lazy_with(pool.connect_options().as_ref().clone().username(SEALER))
    };
    let one = small(1);
    assert_eq!(everyone(&one, 8, |_| unreachable!("one connection is one share")).await, LOG);
    let two = small(2);
    let busy = two.acquire().await.unwrap();
    assert_eq!(everyone(&two, 8, |work| drop(tokio::spawn(work))).await, LOG);
    drop(busy);
    // Who may not see the log hears so.
    let options = pool.connect_options().as_ref().clone().username(APP);
    let blind = PgPoolOptions::new().connect_lazy_with(options);
    assert!(everyone(&blind, 2, |work| drop(tokio::spawn(work))).await.is_empty());
    let lost = PgPoolOptions::new().acquire_timeout(Duration::from_millis(200));
    let lost = lost.connect_lazy_with(pool.connect_options().as_ref().clone().port(1));
    let error = verify_all(&lost, &VerifyOptions::new(), NonZeroUsize::MIN, drop).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[sqlx::test(migrations = false)]
async fn a_walk_in_steps_sees_every_link_and_comes_by_again(pool: PgPool) {
    log(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    let mut walk = IncrementalVerifier::new(NonZeroU64::new(6).unwrap(), VerifyOptions::new());
    let mut checked = BTreeMap::new();
    // 20 links of the first tenant in steps of 6 are four steps of three tenants in turn.
    for _ in 0..12 {
        let report = walk.step(&mut sealer).await.unwrap().unwrap();
        assert!(report.is_intact(), "{:?}", report.verdicts());
        *checked.entry(report.tenant()).or_insert(0) += report.checked();
    }
    assert_eq!(checked[&tenant(1)], 20);
    assert_eq!(checked[&tenant(2)], 14, "two passes of seven");
    // A row behind the walk is found in the next pass.
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let alter =
        "UPDATE stockade.audit_entry SET action = 'x' WHERE entry_id = (SELECT entry_id FROM stockade.audit_link
        WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 20)";
    sqlx::raw_sql(alter).execute(&mut superuser).await.unwrap();
    let mut found = Vec::new();
    for _ in 0..12 {
        found.extend(findings(&walk.step(&mut sealer).await.unwrap().unwrap()));
    }
    assert_eq!(found, [(Some(20), Finding::ContentAltered)]);
}

async fn alter(pool: &PgPool, seq: i64) {
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let alter = "UPDATE stockade.audit_entry SET action = 'x' WHERE entry_id =
        (SELECT entry_id FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = $1)";
    sqlx::query(alter).bind(seq).execute(&mut superuser).await.unwrap();
}

fn walk(links: u64) -> IncrementalVerifier {
    IncrementalVerifier::new(NonZeroU64::new(links).unwrap(), VerifyOptions::new())
}

async fn steps(
    walk: &mut IncrementalVerifier,
    connection: &mut PgConnection,
    steps: usize,
) -> Vec<(Option<u64>, Finding)> {
    let mut found = Vec::new();
    for _ in 0..steps {
        found.extend(findings(&walk.step(connection).await.unwrap().unwrap()));
    }
    found
}

/// Whoever alters something early must not keep the walk from what follows.
#[sqlx::test(migrations = false)]
async fn what_is_found_does_not_stop_the_walk(pool: PgPool) {
    log(&pool).await;
    alter(&pool, 2).await;
    alter(&pool, 19).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let gap = "DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq BETWEEN 4 AND 15";
    sqlx::raw_sql(gap).execute(&mut superuser).await.unwrap();
    let orphans = "DELETE FROM stockade.audit_entry e WHERE NOT EXISTS (SELECT FROM stockade.audit_link l WHERE l.entry_id = e.entry_id)";
    sqlx::raw_sql(orphans).execute(&mut superuser).await.unwrap();
    let found = steps(&mut walk(3), &mut connect(&pool, SEALER).await, 12).await;
    for expected in [(Some(2), Finding::ContentAltered), (Some(19), Finding::ContentAltered)] {
        assert_eq!(found.iter().filter(|one| **one == expected).count(), 1, "{found:?}");
    }
    assert!(
        found.iter().any(|(seq, finding)| *seq == Some(4) && matches!(finding, Finding::LinkMissing { .. })),
        "{found:?}"
    );
}

/// The entry that states an erasure is far behind what it erased, and in another step.
#[sqlx::test(migrations = false)]
async fn what_was_forgotten_raises_no_false_alarm_in_any_step(pool: PgPool) {
    log(&pool).await;
    let request = ErasureRequest::new(Actor::user("officer"), "R-1", "GDPR Art. 17(1)(b)");
    let subject = Subject::Actor("user-1".to_owned());
    let erasure = erase(&mut connect(&pool, ERASER).await, tenant(1), &subject, &request).await.unwrap();
    assert!(!erasure.erased.is_empty());
    seal(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    for links in [1, 4, 7] {
        assert_eq!(steps(&mut walk(links), &mut sealer, 70).await, []);
    }
}

/// What is not sealed is looked for in steps too: an entry beside the queue, and a queue row without an entry.
#[sqlx::test(migrations = false)]
async fn a_walk_comes_by_at_what_was_never_sealed(pool: PgPool) {
    log(&pool).await;
    let waiting = append(&pool, tenant(1), 2).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    disarm(&mut superuser).await;
    let dequeue = "DELETE FROM stockade.audit_unsealed WHERE entry_id = $1";
    sqlx::query(dequeue).bind(waiting[0].entry_id).execute(&mut superuser).await.unwrap();
    let remove = "DELETE FROM stockade.audit_entry WHERE entry_id = $1";
    sqlx::query(remove).bind(waiting[1].entry_id).execute(&mut superuser).await.unwrap();
    let options = VerifyOptions::new().now(waiting[0].recorded_at + chrono::TimeDelta::seconds(11));
    let mut walk = IncrementalVerifier::new(NonZeroU64::new(4).unwrap(), options);
    let mut sealer = connect(&pool, SEALER).await;
    let found = steps(&mut walk, &mut sealer, 18).await;
    let overdue = (None, Finding::UnsealedOverdue { recorded_at: waiting[0].recorded_at });
    assert_eq!(found.iter().filter(|one| **one == overdue).count(), 1, "{found:?}");
    assert!(found.contains(&(None, Finding::EntryMissing)), "{found:?}");
}

/// How many rows of the log a piece of work reads.
async fn rows_read(connection: &mut PgConnection) -> i64 {
    let read =
        "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables
        WHERE schemaname = 'stockade'";
    sqlx::query_scalar(read).fetch_one(connection).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_step_reads_what_it_looks_at_and_not_the_whole_log(pool: PgPool) {
    const ENTRIES: u64 = 1_500;
    install(&pool).await;
    append(&pool, tenant(1), ENTRIES).await;
    seal(&pool).await;
    sqlx::raw_sql("ANALYZE").execute(&pool).await.unwrap();
    let mut sealer = connect(&pool, SEALER).await;
    let mut walk = walk(10);
    for _ in 0..3 {
        let mut tx = sealer.begin().await.unwrap();
        assert_eq!(walk.step(&mut tx).await.unwrap().unwrap().checked(), 10);
        let read = rows_read(&mut tx).await;
        assert!((30..200).contains(&read), "{read} rows for 10 links");
    }
    let mut tx = sealer.begin().await.unwrap();
    verify(&mut *tx, tenant(1), &VerifyOptions::new()).await.unwrap();
    assert!(rows_read(&mut tx).await > 3 * ENTRIES.cast_signed());
}

#[sqlx::test(migrations = false)]
async fn a_walk_goes_on_in_another_process(pool: PgPool) {
    log(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    let later = VerifyOptions::new().now(chrono::Utc::now() + chrono::TimeDelta::minutes(1));
    let walk = || IncrementalVerifier::new(NonZeroU64::new(6).unwrap(), later.clone());
    let (mut whole, mut text) = (walk(), Progress::default().to_string());
    for _ in 0..13 {
        let mut resumed = walk().resume(text.parse().unwrap());
        let (one, other) = (whole.step(&mut sealer).await.unwrap(), resumed.step(&mut sealer).await.unwrap());
        assert_eq!(one, other);
        assert_eq!(resumed.progress(), whole.progress());
        text = resumed.progress().to_string();
    }
    assert!(text.contains(" link 6 ") && text.contains(" entry "), "{text}");
    let wrong = [
        String::new(),
        format!("{text}\n"),
        text.to_uppercase(),
        text.replace(" link 6 ", " link 06 "),
        text.replace(" link ", " place "),
        text.replacen(" entry ", " link ", 1),
    ];
    for wrong in wrong {
        assert_eq!(wrong.parse::<Progress>().unwrap_err().kind(), ErrorKind::Malformed, "{wrong}");
    }
}

/// What a forged progress hides, and for how long.
#[sqlx::test(migrations = false)]
async fn a_forged_progress_hides_what_is_before_it_until_the_next_pass(pool: PgPool) {
    log(&pool).await;
    alter(&pool, 8).await;
    let mut sealer = connect(&pool, SEALER).await;
    let link =
        "SELECT hash FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000001' AND seq = 12";
    let hash: Vec<u8> = sqlx::query_scalar(link).fetch_one(&pool).await.unwrap();
    let hash = Digest::try_from(hash.as_slice()).unwrap();
    let forged = |seq: u64, hash| format!("audit-chain walk 1\n{} link {seq} {hash}", tenant(1)).parse().unwrap();
    let mut deceived = walk(6).resume(forged(12, hash));
    // The rest of the pass, in which the other tenants have their turns too, sees nothing; the next sees the row.
    assert_eq!(steps(&mut deceived, &mut sealer, 6).await, []);
    assert_eq!(steps(&mut deceived, &mut sealer, 6).await, [(Some(8), Finding::ContentAltered)]);
    // A place with another hash than the link's, or behind the end, is found at once.
    let found = steps(&mut walk(6).resume(forged(12, Digest::leaf(b""))), &mut sealer, 1).await;
    assert_eq!(found, [(Some(13), Finding::LinkBroken)]);
    let found = steps(&mut walk(6).resume(forged(99, hash)), &mut sealer, 1).await;
    assert_eq!(found, [(Some(99), Finding::HeadMismatch)]);
}
