//! A checkpoint over more and more tenants.

use std::{path::Path, time::Instant};

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use stockade_audit_chain::{
    Actor, Entry, FileAnchor, LocalSigner, Publication, TenantId,
    postgres::{Checkpointer, Checkpointing, Sealer, migrator},
};
use stockade_benches::{Database, Meter, run};
use uuid::Uuid;

use crate::{
    Wanted,
    audit::{append, appenders},
};

const TENANTS: [u64; 4] = [10, 100, 1_000, 10_000];

fn entry(tenant: u64) -> Entry {
    let tenant = TenantId::from(Uuid::from_u128(u128::from(tenant) + 1));
    Entry::new(tenant, Actor::user("user-7"), "load.update").entity("load", 7).after(json!({ "rate_cents": 125_000 }))
}

/// One who writes, one who seals, one who signs.
struct Log {
    pool: PgPool,
    sealer: PgConnection,
    signer: PgConnection,
    signing: Meter,
    checkpointer: Checkpointer<LocalSigner>,
    anchor: FileAnchor,
}

pub(crate) async fn measure(wanted: &Wanted) {
    let Some(mut database) = Database::create("scale_checkpoints").await else { return };
    let mut curve = wanted.curve("checkpoints", &database.about().await);
    let (mut root, _) = database.connect().await;
    migrator().run(&mut root).await.expect("a schema");
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = Log::open(&database, folder.path()).await;
    let mut before = 0;
    for tenants in wanted.sizes(&TENANTS) {
        // Those that are new have their first entry; what is measured comes after.
        log.record(before..tenants).await;
        log.checkpoint().await;
        run(&mut root, "VACUUM ANALYZE").await;
        before = tenants;
        let mut size = 0;
        for (what, step) in [("every tenant has a new entry", 1), ("one tenant in a hundred has a new entry", 100)] {
            log.record((0..tenants).step_by(step)).await;
            let (begun, spent) = (Instant::now(), log.signing.read());
            let publication = log.checkpoint().await;
            let (wall, spent) = (begun.elapsed(), log.signing.read() - spent);
            curve.point(tenants, spent.total() / 1e6, "ms", what);
            curve.point(tenants, wall.as_secs_f64() * 1e3, "ms by the clock", what);
            size = publication.to_string().len();
        }
        curve.point(tenants, size as f64, "bytes", "publication");
        curve.load(tenants);
    }
    drop((root, log));
    database.drop().await;
}

impl Log {
    async fn open(database: &Database, folder: &Path) -> Self {
        let pool = appenders(database).await;
        let (sealer, _) = database.connect_as("stockade_sealer").await;
        let (signer, pid) = database.connect_as("stockade_checkpointer").await;
        let key = LocalSigner::from_seed("example.com/scale", &[7; 32]).expect("a signer");
        let anchor = FileAnchor::new(folder.join("checkpoints"));
        let checkpointer = Checkpointer::new(key);
        Self { pool, sealer, signer, signing: Meter::new(vec![pid]), checkpointer, anchor }
    }

    /// An entry for each of these tenants, sealed.
    async fn record(&mut self, tenants: impl Iterator<Item = u64>) {
        append(&self.pool, tenants.map(entry)).await;
        Sealer::new().seal_pending(&mut self.sealer).await.expect("a seal");
    }

    async fn checkpoint(&mut self) -> Publication {
        match self.checkpointer.checkpoint(&mut self.signer, &self.anchor).await.expect("a checkpoint") {
            Checkpointing::Published(publication) => publication,
            other => panic!("no new checkpoint: {other:?}"),
        }
    }
}
