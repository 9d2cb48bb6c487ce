//! Exports from PostgreSQL.

use std::{env, num::NonZeroU32};

use allocation_counter::measure;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use stockade_audit_chain::{
    Actor, BundleReport, BundleVerifier, Conclusion, ErasureRequest, ErrorKind, Finding, LocalSigner, Publication,
    PurgeRequest, Signer as _, Snapshot, TenantHead, TenantId,
    postgres::{
        Export, ExportRequest, Filter, Page, Purge, Receipt, Subject, VerifyOptions, erase, purge, record, search,
        tree, verify,
    },
};

use crate::support::{APP, ERASER, PURGER, SEALER, append, append_old, connect, disarm, install, scope, seal, tenant};

fn officer() -> Actor {
    Actor::user("officer-1")
}

async fn announce(connection: &mut PgConnection, request: &ExportRequest) -> Receipt {
    let mut tx = scope(connection, request.tenant()).await;
    let receipt = record(&mut *tx, &request.entry()).await.unwrap();
    tx.commit().await.unwrap();
    receipt
}

async fn snapshot(connection: &mut PgConnection, tenant: TenantId) -> Transaction<'_, Postgres> {
    let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)");
    context.bind(tenant.to_string()).execute(&mut *tx).await.unwrap();
    tx
}

/// The whole export as the application makes it, recorded before and after.
pub(crate) async fn export(pool: &PgPool, request: ExportRequest) -> Vec<u8> {
    let mut app = connect(pool, APP).await;
    let receipt = announce(&mut app, &request).await;
    let tenant = request.tenant();
    let mut tx = snapshot(&mut app, tenant).await;
    let mut export = Export::open(&mut *tx, request, &receipt).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = export.next(&mut *tx).await.unwrap() {
        bytes.extend(piece);
    }
    drop(tx);
    let mut tx = scope(&mut app, tenant).await;
    record(&mut *tx, &export.completion()).await.unwrap();
    tx.commit().await.unwrap();
    bytes
}

async fn found(pool: &PgPool, filter: Filter) -> Page {
    let mut app = connect(pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    search(&mut *tx, &filter.limit(NonZeroU32::MAX)).await.unwrap()
}

fn signer() -> LocalSigner {
    LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap()
}

/// A checkpoint over what is sealed now, and nothing else.
async fn publish(pool: &PgPool) -> Publication {
    let mut sealer = connect(pool, SEALER).await;
    let head = *verify(&mut sealer, tenant(1), &VerifyOptions::default()).await.unwrap().head().unwrap();
    let root = tree(&mut sealer, tenant(1), head.seq).await.unwrap().root();
    Publication::sign(None, Snapshot::new([TenantHead { head, root }]).unwrap(), &signer()).await.unwrap()
}

fn judged(bundle: &[u8]) -> BundleReport {
    BundleVerifier::new().key(signer().key().clone()).verify(bundle).unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_table_is_what_a_search_shows(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 600).await;
    append(&pool, tenant(2), 3).await;
    let filter = Filter::new(tenant(1)).action("load.update");
    let shown = found(&pool, filter.clone()).await.rows;
    assert_eq!(shown.len(), 600);

    let table = export(&pool, ExportRequest::csv(filter.clone(), officer())).await;
    let mut reader = csv::Reader::from_reader(table.as_slice());
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), shown.len());
    for (row, shown) in rows.iter().zip(&shown) {
        let cell = |name: &str| &row[columns.iter().position(|column| column == name).unwrap()];
        assert_eq!((cell("entry_id"), cell("actor_name")), (&*shown.entry_id.to_string(), "Ana Ruiz"));
        assert_eq!(cell("after"), shown.after.as_ref().unwrap().to_string());
    }

    let lines = export(&pool, ExportRequest::json_lines(filter, officer())).await;
    let lines: Vec<Value> =
        lines.split_inclusive(|byte| *byte == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect();
    assert_eq!(lines.len(), shown.len());
    for (line, shown) in lines.iter().zip(&shown) {
        assert_eq!(line["entry_id"], shown.entry_id.to_string());
        assert_eq!((Some(&line["after"]), &line["ip"]), (shown.after.as_ref(), &Value::from("203.0.113.9")));
        assert!(line.get("occurred_at").is_none());
    }
}

#[sqlx::test(migrations = false)]
async fn a_bundle_from_the_database_verifies(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 300).await;
    seal(&pool).await;
    let publication = publish(&pool).await;
    append(&pool, tenant(2), 3).await;
    let attested = |request: ExportRequest| request.attested_by(&publication).unwrap();

    let whole = judged(&export(&pool, attested(ExportRequest::bundle(tenant(1), officer()))).await);
    assert!(whole.is_complete(), "{:?}", whole.report().verdicts());
    assert_eq!((whole.report().checked(), whole.vouched_through()), (300, Some(300)));

    for range in [1..=1, 2..=299, 257..=300, 300..=300] {
        let request = attested(ExportRequest::range(tenant(1), range.clone(), officer()));
        let report = judged(&export(&pool, request).await);
        assert!(report.is_complete(), "{range:?}: {:?}", report.report().verdicts());
        assert_eq!(report.report().checked(), range.end() - range.start() + 1);
    }

    let choice = Filter::new(tenant(1)).entity("load", "L-7");
    let report = judged(&export(&pool, attested(ExportRequest::choice(choice.clone(), officer()))).await);
    assert!(report.is_intact() && !report.is_complete());
    assert_eq!((report.report().checked(), &report.header().filter().unwrap()["entity_id"]), (1, &"L-7".to_owned()));
    assert!(!judged(&export(&pool, ExportRequest::choice(choice, officer())).await).is_intact(), "nothing vouches");

    for (first, last) in [(0, 3), (5, 4), (1, 400)] {
        let request = ExportRequest::range(tenant(1), first..=last, officer());
        let mut app = connect(&pool, APP).await;
        let receipt = announce(&mut app, &request).await;
        let mut tx = snapshot(&mut app, tenant(1)).await;
        let refused = Export::open(&mut *tx, request, &receipt).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Malformed);
    }
}

#[sqlx::test(migrations = false)]
async fn a_bundle_shows_what_was_altered_and_removed(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 4).await;
    seal(&pool).await;
    let publication = publish(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let forgery = "
        UPDATE stockade.audit_entry SET action = 'x' WHERE entity_id = 'L-2';
        DELETE FROM stockade.audit_entry WHERE entity_id = 'L-3'";
    sqlx::raw_sql(forgery).execute(&mut *superuser).await.unwrap();
    let request = ExportRequest::bundle(tenant(1), officer()).attested_by(&publication).unwrap();
    let report = judged(&export(&pool, request).await);
    let found: Vec<_> = report.report().verdicts().iter().map(ToString::to_string).collect();
    let name = tenant(1);
    assert_eq!(
        found,
        [
            format!("tenant {name}, entry 2: the entry was altered"),
            format!("tenant {name}, entry 3: the entry is missing")
        ]
    );
}

#[sqlx::test(migrations = false)]
async fn a_bundle_explains_what_was_erased_by_evidence_and_only_so(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 6).await;
    seal(&pool).await;
    let subject = Subject::Actor("user-1".to_owned());
    let request = ErasureRequest::new(officer(), "R-1", "GDPR Art. 17(1)(b)");
    erase(&mut connect(&pool, ERASER).await, tenant(1), &subject, &request).await.unwrap();
    let early = publish(&pool).await;
    let whole =
        |publication: &Publication| ExportRequest::bundle(tenant(1), officer()).attested_by(publication).unwrap();
    // The erasure waits for its seal: nothing contradicts it, and nothing vouches for it.
    let report = judged(&export(&pool, whole(&early)).await);
    assert_eq!(report.conclusion(), Conclusion::Unverifiable);
    assert_eq!(report.report().verdicts()[0].finding, Finding::EvidenceMissing);

    seal(&pool).await;
    let late = publish(&pool).await;
    let report = judged(&export(&pool, whole(&late)).await);
    assert!(report.is_complete(), "{:?}", report.report().verdicts());
    assert_eq!(report.report().erased(), 6);
    // In a range that ends before the erasure, and in a choice without it, its place is proven.
    let range = ExportRequest::range(tenant(1), 1..=6, officer()).attested_by(&late).unwrap();
    let report = judged(&export(&pool, range).await);
    assert!(report.is_complete(), "{:?}", report.report().verdicts());
    let filter = Filter::new(tenant(1)).actor("user-1");
    let choice = ExportRequest::choice(filter, officer()).attested_by(&late).unwrap();
    let report = judged(&export(&pool, choice).await);
    assert!(report.is_intact(), "{:?}", report.report().verdicts());

    // What went without evidence is found.
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    sqlx::raw_sql("UPDATE stockade.audit_payload SET field_values[1] = NULL, salts[1] = NULL")
        .execute(&mut *superuser)
        .await
        .unwrap();
    assert_eq!(judged(&export(&pool, whole(&late)).await).conclusion(), Conclusion::Tampered);
}

#[sqlx::test(migrations = false)]
async fn nothing_leaves_that_was_not_announced(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    let mut app = connect(&pool, APP).await;
    let narrow = ExportRequest::csv(Filter::new(tenant(1)).action("x"), officer());
    let wide = ExportRequest::csv(Filter::new(tenant(1)), officer());
    let kind = |result: Result<Export, stockade_audit_chain::Error>| result.unwrap_err().kind();

    // Announced in the transaction that exports: a rollback would take the announcement with it.
    let mut tx = snapshot(&mut app, tenant(1)).await;
    let receipt = record(&mut *tx, &wide.entry()).await.unwrap();
    assert_eq!(kind(Export::open(&mut *tx, wide.clone(), &receipt).await), ErrorKind::Refused);
    drop(tx);
    // Rolled back.
    let mut tx = snapshot(&mut app, tenant(1)).await;
    assert_eq!(kind(Export::open(&mut *tx, wide.clone(), &receipt).await), ErrorKind::Refused);
    drop(tx);
    // Something else was announced.
    let receipt = announce(&mut app, &narrow).await;
    let mut tx = snapshot(&mut app, tenant(1)).await;
    assert_eq!(kind(Export::open(&mut *tx, wide.clone(), &receipt).await), ErrorKind::Refused);
    drop(tx);
    // By another tenant.
    let receipt = announce(&mut app, &wide).await;
    let mut tx = snapshot(&mut app, tenant(2)).await;
    assert_eq!(kind(Export::open(&mut *tx, wide.clone(), &receipt).await), ErrorKind::Refused);
    drop(tx);
    // In a transaction whose second page could show another moment than the first.
    let mut tx = scope(&mut app, tenant(1)).await;
    assert_eq!(kind(Export::open(&mut *tx, wide.clone(), &receipt).await), ErrorKind::Refused);
    drop(tx);
    let mut tx = snapshot(&mut app, tenant(1)).await;
    Export::open(&mut *tx, wide, &receipt).await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn the_log_says_who_exported_what_and_how_much(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 3).await;
    let request = ExportRequest::csv(Filter::new(tenant(1)).actor("user-1"), officer());
    let bytes = export(&pool, request).await;
    let rows = found(&pool, Filter::new(tenant(1)).action("audit.exported")).await.rows;
    let [done, announced] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((&*announced.actor_id, &*done.actor_id), ("officer-1", "officer-1"));
    let said = announced.after.as_ref().unwrap();
    assert_eq!((&said["format"], &said["filter"]["actor"]), (&Value::from("csv"), &Value::from("user-1")));
    assert_eq!(done.entity_id, Some(announced.entry_id.to_string()));
    let said = done.after.as_ref().unwrap();
    assert_eq!(
        (&said["entries"], &said["sha256"]),
        (&Value::from(1), &Value::from(hex::encode(Sha256::digest(&bytes))))
    );
}

#[sqlx::test(migrations = false)]
async fn an_export_shows_one_moment(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 300).await;
    seal(&pool).await;
    let mut app = connect(&pool, APP).await;
    for request in [ExportRequest::csv(Filter::new(tenant(1)), officer()), ExportRequest::bundle(tenant(1), officer())]
    {
        let receipt = announce(&mut app, &request).await;
        let mut tx = snapshot(&mut app, tenant(1)).await;
        let mut export = Export::open(&mut *tx, request, &receipt).await.unwrap();
        export.next(&mut *tx).await.unwrap();
        let before = found(&pool, Filter::new(tenant(1))).await.rows.len() as u64;
        append(&pool, tenant(1), 50).await;
        seal(&pool).await;
        while export.next(&mut *tx).await.unwrap().is_some() {}
        assert!(export.entries() <= before, "{} of {before}", export.entries());
    }
}

/// Rows that look like entries, as many as wanted. Tables for people verify nothing.
async fn fill(pool: &PgPool, rows: i32) {
    let fill = "
        INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity, outcome, actor_kind,
            actor_id, after, leaf)
        SELECT (encode(substr(int8send((extract(epoch FROM t) * 1000)::bigint), 3), 'hex') || substr(md5(n::text), 1, 20))::uuid,
            $1, 1, t, 'load.update', 0, 'success', 'user', 'u-1',
            json_build_object('note', repeat('x', 200)), sha256('x')
        FROM generate_series(1, $2) n
        CROSS JOIN LATERAL (SELECT date_trunc('milliseconds', clock_timestamp()) - n * interval '1 ms') m (t)";
    sqlx::query(fill).bind(uuid::Uuid::from(tenant(1))).bind(rows).execute(pool).await.unwrap();
}

/// The most memory that an export holds at once, and the size of what it wrote.
fn peak(pool: &PgPool, make: impl Fn() -> ExportRequest) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut app = runtime.block_on(connect(pool, APP));
    let receipt = runtime.block_on(announce(&mut app, &make()));
    let mut written = 0;
    let held = measure(|| {
        runtime.block_on(async {
            let mut tx = snapshot(&mut app, tenant(1)).await;
            let mut export = Export::open(&mut *tx, make(), &receipt).await.unwrap();
            while let Some(piece) = export.next(&mut *tx).await.unwrap() {
                written += piece.len() as u64;
            }
        });
    });
    (held.bytes_max, written)
}

/// `AUDIT_EXPORT_ROWS=1000000` for the full size.
#[sqlx::test(migrations = false)]
async fn memory_does_not_grow_with_the_log(pool: PgPool) {
    let rows: i32 = env::var("AUDIT_EXPORT_ROWS").map_or(20_000, |rows| rows.parse().unwrap());
    install(&pool).await;
    fill(&pool, 1_000).await;
    let measured = pool.clone();
    let peaks = move || {
        [
            peak(&measured, || ExportRequest::csv(Filter::new(tenant(1)), officer())),
            peak(&measured, || ExportRequest::json_lines(Filter::new(tenant(1)), officer())),
        ]
    };
    let few = tokio::task::spawn_blocking(peaks.clone()).await.unwrap();
    fill(&pool, rows).await;
    let many = tokio::task::spawn_blocking(peaks).await.unwrap();
    for ((few, small), (many, large)) in few.into_iter().zip(many) {
        assert!(large > 10 * small, "{small} and {large} bytes written");
        assert!(many < few * 3 / 2, "{few} bytes held for a small export, {many} for a large one");
    }
}

#[sqlx::test(migrations = false)]
async fn a_bundle_needs_memory_for_a_page(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 600).await;
    seal(&pool).await;
    let measured = pool.clone();
    let bundle = move || peak(&measured, || ExportRequest::bundle(tenant(1), officer()));
    let (few, small) = tokio::task::spawn_blocking(bundle.clone()).await.unwrap();
    append(&pool, tenant(1), 4_200).await;
    seal(&pool).await;
    let (many, large) = tokio::task::spawn_blocking(bundle).await.unwrap();
    assert!(large > 7 * small, "{small} and {large} bytes written");
    // A page is what it is; buffers double.
    assert!(many < 2 * few, "{few} bytes held for a small export, {many} for a large one");
}

/// Most of the range is gone, and so is what was before it: the links are what is left to prove with.
#[sqlx::test(migrations = false)]
async fn a_bundle_may_begin_and_end_inside_a_purged_range(pool: PgPool) {
    install(&pool).await;
    append_old(&pool, tenant(1), 1, 6).await;
    seal(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    let head =
        *verify(&mut connect(&pool, SEALER).await, tenant(1), &VerifyOptions::default()).await.unwrap().head().unwrap();
    let order = PurgeRequest::new(Actor::system("retention"), "P-1");
    let before = chrono::DateTime::from_timestamp_millis(1_491_004_800_000).unwrap();
    let done = purge(&mut connect(&pool, PURGER).await, before, &order, &[head]).await.unwrap();
    assert!(matches!(done, Purge::Done { months: 1, .. }), "{done:?}");
    seal(&pool).await;
    let publication = publish(&pool).await;
    for (range, gone) in [(1..=9, 6), (4..=9, 3), (4..=8, 3), (2..=5, 4), (5..=5, 1), (6..=7, 1), (7..=9, 0)] {
        let request = ExportRequest::range(tenant(1), range.clone(), officer()).attested_by(&publication).unwrap();
        let report = judged(&export(&pool, request).await);
        assert!(report.is_intact(), "{range:?}: {:?}", report.report().verdicts());
        assert_eq!(report.report().purged(), gone, "{range:?}");
    }
    // Without the evidence it is a gap.
    let request = ExportRequest::range(tenant(1), 4..=9, officer()).attested_by(&publication).unwrap();
    let bundle = String::from_utf8(export(&pool, request).await).unwrap();
    let without =
        bundle.lines().filter(|line| !line.contains("\"purge\"")).fold(String::new(), |text, line| text + line + "\n");
    let report = judged(without.as_bytes());
    assert!(
        report.report().verdicts().iter().any(|verdict| verdict.finding == Finding::EntryMissing),
        "{:?}",
        report.report()
    );
}
