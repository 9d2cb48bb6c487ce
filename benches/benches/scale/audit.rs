//! One tenant's log, which grows: what a thousand entries more cost, and what reading it costs at each size.

use std::{num::NonZeroU32, time::Instant};

use serde_json::json;
use sqlx::{PgConnection, PgPool, Row as _, postgres::PgPoolOptions};
use stockade_audit_chain::{
    Actor, Entry, Severity, TenantId,
    postgres::{
        Appender, Cursor, Filter, Sealer, VerifyOptions, complete_tiles, migrator, prove_inclusion, search, verify,
    },
};
use stockade_benches::{Database, Meter, resident, run};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{Wanted, cost::typical, curve::Curve};

const SIZES: [u64; 7] = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
const TENANT: Uuid = Uuid::from_u128(7);

/// How many entries are appended before they are sealed: a sealer that runs is never further behind.
const CHUNK: u64 = 20_000;

/// Everything that a log keeps: tables with what is stored beside them, their indexes, and the links of both.
const SIZE: &str = "
SELECT coalesce(sum(pg_table_size(c.oid)), 0)::float8, coalesce(sum(pg_indexes_size(c.oid)), 0)::float8,
    pg_total_relation_size('stockade.audit_link')::float8
FROM pg_class c WHERE c.relnamespace = 'stockade'::regnamespace AND c.relkind = 'r'";

/// What a log of an application says: two states and the name of a person. One entry in 10,000 is by somebody else, and one in
/// 100,000 is critical.
fn entry(number: u64) -> Entry {
    let (actor, name) = match number % 10_000 {
        0 => ("auditor".to_owned(), "Ida Berg"),
        _ => (format!("user-{}", number % 500), "Ana Ruiz"),
    };
    Entry::new(TenantId::from(TENANT), Actor::user(actor).named(name).with_role("dispatcher"), "load.update")
        .entity("load", number)
        .before(json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods" }))
        .after(json!({ "rate_cents": 120_000 + number, "status": "in transit", "customer": "Harbor Foods" }))
        .severity(if number.is_multiple_of(100_000) { Severity::Critical } else { Severity::Info })
}

/// The connections, each with the rights of what it does.
struct Log {
    root: PgConnection,
    /// Appends.
    pool: PgPool,
    appending: Meter,
    /// Seals, verifies, proves.
    sealer: PgConnection,
    sealing: Meter,
    /// Searches.
    app: PgConnection,
    searching: Meter,
}

pub(crate) async fn measure(wanted: &Wanted) {
    let Some(mut database) = Database::create("scale_audit").await else { return };
    let mut curve = wanted.curve("audit", &database.about().await);
    let mut log = Log::open(&database).await;
    let mut size = 0;
    for entries in wanted.sizes(&SIZES) {
        log.grow(&mut curve, size, entries).await;
        size = entries;
        run(&mut log.root, "VACUUM ANALYZE").await;
        log.verify(&mut curve, size, wanted).await;
        log.search(&mut curve, size, wanted).await;
        log.prove(&mut curve, size, wanted).await;
        log.weigh(&mut curve, size).await;
        curve.load(size);
    }
    drop(log);
    database.drop().await;
}

impl Log {
    async fn open(database: &Database) -> Self {
        let (mut root, _) = database.connect().await;
        migrator().run(&mut root).await.expect("a schema");
        let pool = appenders(database).await;
        let appender = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&pool).await.expect("its process");
        let (sealer, sealing) = database.connect_as("stockade_sealer").await;
        let (mut app, searching) = database.connect_as("stockade_app").await;
        let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, false)").bind(TENANT.to_string());
        context.execute(&mut app).await.expect("a context");
        Self {
            root,
            pool,
            appending: Meter::new(vec![appender]),
            sealer,
            sealing: Meter::new(vec![sealing]),
            app,
            searching: Meter::new(vec![searching]),
        }
    }

    /// Appends, seals and makes tiles, in turn; tells what an entry took.
    async fn grow(&mut self, curve: &mut Curve, from: u64, to: u64) {
        let mut spent = [("append", 0.0, 0.0, 0.0, 0.0), ("seal", 0.0, 0.0, 0.0, 0.0), ("tiles", 0.0, 0.0, 0.0, 0.0)];
        let mut done = from;
        while done < to {
            let end = to.min(done + CHUNK);
            for (work, client, server, seconds, wal) in &mut spent {
                let meter = if *work == "append" { self.appending.clone() } else { self.sealing.clone() };
                let (begun, before, position) = (Instant::now(), meter.read(), self.position().await);
                match *work {
                    "append" => append(&self.pool, (done..end).map(entry)).await,
                    "seal" => {
                        let sealed = Sealer::new().seal_pending(&mut self.sealer).await.expect("a seal");
                        assert_eq!(sealed.entries, end - done);
                    }
                    _ => drop(complete_tiles(&mut self.sealer, TENANT.into()).await.expect("tiles")),
                }
                *seconds += begun.elapsed().as_secs_f64();
                let took = meter.read() - before;
                *client += took.client;
                *server += took.server;
                *wal += self.position().await - position;
            }
            done = end;
        }
        let entries = (to - from) as f64;
        for (work, client, server, seconds, wal) in spent {
            curve.point(to, (client + server) / entries / 1e3, "us", work);
            curve.point(to, server / entries / 1e3, "us", &format!("{work}: server alone"));
            curve.point(to, entries / seconds, "entries/s", work);
            curve.point(to, wal / entries, "bytes", &format!("write-ahead log: {work}"));
        }
    }

    async fn position(&mut self) -> f64 {
        let position = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8";
        sqlx::query_scalar(position).fetch_one(&mut self.root).await.expect("a position")
    }

    async fn verify(&mut self, curve: &mut Curve, size: u64, wanted: &Wanted) {
        let (sealer, options) = (&mut self.sealer, VerifyOptions::new());
        let cost = typical(&self.sealing, wanted.scale.times(3), async || {
            let report = verify(&mut *sealer, TENANT.into(), &options).await.expect("a report");
            assert!(report.is_intact() && report.checked() == size, "{:?}", report.verdicts());
        });
        let (cost, entries) = (cost.await, size as f64);
        curve.point(size, entries / cost.wall * 1e6, "entries/s", "verify");
        curve.point(size, cost.wall / 1e6, "s", "verify");
        curve.point(size, (cost.client + cost.server) / entries, "us", "verify");
        curve.point(size, cost.server / entries, "us", "verify: server alone");
        curve.point(size, resident() as f64 / f64::from(1 << 20), "MiB", "resident after verifying");
    }

    async fn search(&mut self, curve: &mut Curve, size: u64, wanted: &Wanted) {
        let all = || Filter::new(TENANT.into());
        let deep = self.cursor(size / 20 + 1).await;
        let filters = [
            ("search: first page", all()),
            ("search: page at nineteen twentieths", all().after(deep)),
            ("search: one actor of 10,000 (index)", all().actor("auditor")),
            ("search: one severity of 100,000 (no index)", all().at_least(Severity::Critical)),
        ];
        for (what, filter) in filters {
            let app = &mut self.app;
            let cost = typical(&self.searching, wanted.scale.times(41), async || {
                search(&mut *app, &filter).await.expect("a page");
            });
            both(curve, size, cost.await, what);
        }
    }

    /// Where a page ends whose last entry has this number.
    async fn cursor(&mut self, seq: u64) -> Cursor {
        let sql = "SELECT format('%s_%s', (extract(epoch FROM e.recorded_at) * 1000)::bigint, translate(e.entry_id::text, '-', ''))
            FROM stockade.audit_link l JOIN stockade.audit_entry e USING (entry_id) WHERE l.tenant_id = $1 AND l.seq = $2";
        let row = sqlx::query(sql).bind(TENANT).bind(seq.cast_signed()).fetch_one(&mut self.root).await;
        let text: String = row.and_then(|row| row.try_get(0)).expect("an entry");
        text.parse().expect("a cursor")
    }

    async fn prove(&mut self, curve: &mut Curve, size: u64, wanted: &Wanted) {
        let (sealer, mut round) = (&mut self.sealer, 0_u64);
        let cost = typical(&self.sealing, wanted.scale.times(201), async || {
            round += 1;
            let seq = round.wrapping_mul(2_654_435_761) % size + 1;
            prove_inclusion(&mut *sealer, TENANT.into(), seq, size).await.expect("a proof");
        });
        both(curve, size, cost.await, "proof of inclusion");
    }

    async fn weigh(&mut self, curve: &mut Curve, size: u64) {
        let (tables, indexes, links): (f64, f64, f64) =
            sqlx::query_as(SIZE).fetch_one(&mut self.root).await.expect("sizes");
        curve.point(size, tables / size as f64, "bytes", "tables");
        curve.point(size, indexes / size as f64, "bytes", "indexes");
        curve.point(size, links / size as f64, "bytes", "links with their indexes");
    }
}

/// What a call takes the processors, and how long it is waited for.
fn both(curve: &mut Curve, size: u64, cost: crate::cost::Cost, what: &str) {
    curve.point(size, (cost.client + cost.server) / 1e3, "ms", what);
    curve.point(size, cost.wall / 1e3, "ms by the clock", what);
}

/// Connections of the appender, of which there is one.
pub(crate) async fn appenders(database: &Database) -> PgPool {
    let options = database.options().clone().options([("role", "stockade_appender")]);
    PgPoolOptions::new().max_connections(1).connect_with(options).await.expect("a pool")
}

/// As an application does whose entries belong to no transaction: many callers, one writer.
pub(crate) async fn append(pool: &PgPool, entries: impl Iterator<Item = Entry>) {
    let (appender, work) = Appender::new(pool.clone(), NonZeroU32::new(64 << 20).expect("not zero"));
    let work = tokio::spawn(work);
    let mut waiting = JoinSet::new();
    for entry in entries {
        let appender = appender.clone();
        waiting.spawn(async move { appender.append(&entry).await.expect("an entry") });
        if waiting.len() > 2_000 {
            waiting.join_next().await;
        }
    }
    while waiting.join_next().await.is_some() {}
    appender.close();
    work.await.expect("a clean end");
}
