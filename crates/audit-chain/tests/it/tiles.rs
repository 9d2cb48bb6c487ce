//! Proofs read from tiles in PostgreSQL, against an independent implementation, at the sizes where tiles begin and end.

use sqlx::{PgConnection, PgPool};
use stockade_audit_chain::{
    Digest, ErrorKind,
    postgres::{complete_tiles, prove_consistency, prove_inclusion, tree},
};
use tlog_tiles::{Hash, HashReader, check_record, check_tree, tree_hash};
use uuid::Uuid;

use crate::gate::Gate;
use crate::support::{APP, SEALER, append, connect, disarm, install, scope, seal, sqlstate, tenant};

/// Links of a tenant from `first` to `last`, whose leaves are the RFC 6962 leaf hashes of their numbers. Nothing of a chain
/// is in them: a tree knows leaves only.
pub(crate) async fn links(superuser: &mut PgConnection, first: i64, last: i64) {
    let links = "
        INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash)
        SELECT $1, n, gen_random_uuid(), sha256(int8send(n)), sha256('\\x00'::bytea || int8send(n)), sha256(int8send(-n))
        FROM generate_series($2, $3) AS n";
    sqlx::query(links).bind(Uuid::from(tenant(1))).bind(first).bind(last).execute(superuser).await.unwrap();
}

/// The other implementation's store, which numbers all nodes in one row.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Stored {
    fn of(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for number in 0..size {
            let hashes = tlog_tiles::stored_hashes(number, &(number + 1).to_be_bytes(), &stored).unwrap();
            stored.0.extend(hashes);
        }
        stored
    }
}

fn theirs(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(|digest| Hash(*digest.as_bytes())).collect()
}

fn leaf(seq: u64) -> Hash {
    Hash(*Digest::leaf(&seq.to_be_bytes()).as_bytes())
}

async fn tiles(connection: &mut PgConnection) -> Vec<(i16, i64)> {
    let tiles = "SELECT level, count(*) FROM stockade.audit_tile GROUP BY level ORDER BY level";
    sqlx::query_as(tiles).fetch_all(connection).await.unwrap()
}

/// Each proof at these sizes, as the independent implementation sees it.
async fn all_hold(connection: &mut PgConnection, stored: &Stored, sizes: &[u64]) {
    for &size in sizes {
        let root = tree_hash(size, stored).unwrap();
        assert_eq!(*tree(&mut *connection, tenant(1), size).await.unwrap().root().as_bytes(), root.0, "{size}");
        for seq in [1, 2, size / 2, size - 1, size].into_iter().filter(|seq| (1..=size).contains(seq)) {
            let proof = prove_inclusion(&mut *connection, tenant(1), seq, size).await.unwrap();
            check_record(&theirs(proof.path()), size, root, seq - 1, leaf(seq)).unwrap();
        }
        for old in sizes.iter().copied().filter(|old| *old <= size) {
            let proof = prove_consistency(&mut *connection, tenant(1), old, size).await.unwrap();
            check_tree(&theirs(proof.path()), size, root, old, tree_hash(old, stored).unwrap()).unwrap();
        }
    }
}

#[sqlx::test(migrations = false)]
async fn proofs_hold_with_and_without_tiles(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    let mut sealer = connect(&pool, SEALER).await;
    let stored = Stored::of(1030);
    let sizes = [1, 2, 255, 256, 257, 511, 512, 513, 1023, 1030];
    links(&mut superuser, 1, 1030).await;
    all_hold(&mut sealer, &stored, &sizes).await;
    assert_eq!(complete_tiles(&mut sealer, tenant(1)).await.unwrap(), 4);
    assert_eq!(complete_tiles(&mut sealer, tenant(1)).await.unwrap(), 0);
    assert_eq!(tiles(&mut superuser).await, [(0, 4)]);
    all_hold(&mut sealer, &stored, &sizes).await;
    // Proofs of what tiles hold need no link any more.
    disarm(&mut superuser).await;
    sqlx::raw_sql("DELETE FROM stockade.audit_link WHERE seq <= 1024").execute(&mut superuser).await.unwrap();
    all_hold(&mut sealer, &stored, &[256, 512, 1024, 1030]).await;
    for (seq, size) in [(0, 5), (1031, 1031), (6, 5)] {
        let error = prove_inclusion(&mut sealer, tenant(1), seq, size).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{seq} of {size}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_tile_of_tiles_is_stored_and_proven_from(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    let mut sealer = connect(&pool, SEALER).await;
    let stored = Stored::of(65_536 + 300);
    links(&mut superuser, 1, 65_535).await;
    complete_tiles(&mut sealer, tenant(1)).await.unwrap();
    assert_eq!(tiles(&mut superuser).await, [(0, 255)]);
    all_hold(&mut sealer, &stored, &[65_535]).await;
    links(&mut superuser, 65_536, 65_536 + 300).await;
    // With one tile lacking on each level, and then with all.
    all_hold(&mut sealer, &stored, &[65_536, 65_537, 65_836]).await;
    complete_tiles(&mut sealer, tenant(1)).await.unwrap();
    assert_eq!(tiles(&mut superuser).await, [(0, 257), (1, 1)]);
    disarm(&mut superuser).await;
    sqlx::raw_sql("DELETE FROM stockade.audit_link WHERE seq <= 65792").execute(&mut superuser).await.unwrap();
    all_hold(&mut sealer, &stored, &[256, 65_536, 65_792, 65_836]).await;
}

#[sqlx::test(migrations = false)]
async fn many_may_complete_the_same_tiles_at_once(pool: PgPool) {
    install(&pool).await;
    links(&mut pool.acquire().await.unwrap(), 1, 256 * 20).await;
    let mut workers = Vec::new();
    for _ in 0..4 {
        let mut sealer = connect(&pool, SEALER).await;
        workers.push(tokio::spawn(async move { complete_tiles(&mut sealer, tenant(1)).await.unwrap() }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(tiles(&mut pool.acquire().await.unwrap()).await, [(0, 20)]);
}

#[sqlx::test(migrations = false)]
async fn nobody_writes_a_tile_by_hand(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 300).await;
    seal(&pool).await;
    let insert = "INSERT INTO stockade.audit_tile
        VALUES ('00000000-0000-0000-0000-000000000001', 0, 0, decode(repeat('00', 8192), 'hex'), sha256('x'))";
    for role in [APP, SEALER, crate::support::CHECKPOINTER] {
        let mut connection = connect(&pool, role).await;
        let mut tx = scope(&mut connection, tenant(1)).await;
        assert_eq!(sqlstate(sqlx::raw_sql(insert).execute(&mut *tx).await), "42501", "{role}");
    }
    let mut app = connect(&pool, APP).await;
    assert_eq!(complete_tiles(&mut app, tenant(1)).await.unwrap_err().kind(), ErrorKind::Refused);
    complete_tiles(&mut connect(&pool, SEALER).await, tenant(1)).await.unwrap();
    // Nor changes one; the application reads its own.
    for change in ["UPDATE stockade.audit_tile SET root = sha256('x')", "DELETE FROM stockade.audit_tile"] {
        let mut superuser = pool.acquire().await.unwrap();
        assert_eq!(sqlstate(sqlx::raw_sql(change).execute(&mut *superuser).await), "42501", "{change}");
    }
    for (reader, seen) in [(1, true), (2, false)] {
        let mut tx = scope(&mut app, tenant(reader)).await;
        assert_eq!(prove_inclusion(&mut *tx, tenant(1), 7, 300).await.is_ok(), seen);
    }
}

/// However long the log is: a few statements, each for rows or ranges that a key names, and 255 rows of the right edge at most a level.
#[sqlx::test(migrations = false)]
async fn a_proof_is_a_few_reads_of_ranges_in_a_log_of_any_length(pool: PgPool) {
    install(&pool).await;
    let mut superuser = pool.acquire().await.unwrap().detach();
    let mut last = 0;
    for size in [5_000, 70_000_u64] {
        links(&mut superuser, last + 1, size.cast_signed()).await;
        last = size.cast_signed();
        complete_tiles(&mut superuser, tenant(1)).await.unwrap();
        sqlx::raw_sql("ANALYZE").execute(&mut superuser).await.unwrap();
        let root = tree(&mut superuser, tenant(1), size).await.unwrap().root();
        for seq in [1, 2, size / 2, size - 300, size - 1, size] {
            // A session counts what it has read; so each has its own.
            let mut sealer = connect(&pool, SEALER).await;
            let mut tx = sqlx::Connection::begin(&mut sealer).await.unwrap();
            let mut gate = Gate(&mut tx, 0);
            let proof = prove_inclusion(&mut gate, tenant(1), seq, size).await.unwrap();
            let statements = gate.1;
            assert!(proof.verify(&Digest::leaf(&seq.to_be_bytes()), &root));
            let read = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
                WHERE relname = 'audit_link'";
            let links: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
            assert!(statements <= 5 && links <= 255, "{statements} statements, {links} links for {seq} of {size}");
        }
    }
}
