//! Whoever can run SQL tries to change the log and leaves the triggers where they are.

use sqlx::{Connection as _, Row as _, SqliteConnection};
use stockade_audit_chain::Finding;

use crate::support::{Log, code, count, findings, report, tenant};

/// `SQLITE_CONSTRAINT_TRIGGER`.
const REFUSED: &str = "1811";

const ATTACKS: &[&str] = &[
    "UPDATE stockade_audit_entry SET action = 'x'",
    "UPDATE stockade_audit_entry SET action = action",
    "UPDATE OR REPLACE stockade_audit_entry SET entry_id = (SELECT max(entry_id) FROM stockade_audit_entry)",
    "UPDATE OR IGNORE stockade_audit_payload SET value = x'00'",
    "UPDATE stockade_audit_payload SET value = NULL, salt = NULL",
    "UPDATE OR FAIL stockade_audit_link SET hash = zeroblob(32)",
    "DELETE FROM stockade_audit_entry",
    "DELETE FROM stockade_audit_entry WHERE entity_id = 'L-3'",
    "DELETE FROM stockade_audit_payload",
    "DELETE FROM stockade_audit_link WHERE seq = 5",
    "DELETE FROM stockade_audit_head",
    // What collides is overwritten by OR REPLACE, and passed over by OR IGNORE.
    "INSERT OR REPLACE INTO stockade_audit_entry SELECT * FROM stockade_audit_entry WHERE entity_id = 'L-3'",
    "REPLACE INTO stockade_audit_entry SELECT * FROM stockade_audit_entry",
    "INSERT OR IGNORE INTO stockade_audit_entry SELECT * FROM stockade_audit_entry",
    "INSERT INTO stockade_audit_entry SELECT * FROM stockade_audit_entry WHERE true
        ON CONFLICT DO UPDATE SET action = 'x'",
    "REPLACE INTO stockade_audit_payload SELECT entry_id, path, x'00', zeroblob(32) FROM stockade_audit_payload",
    "REPLACE INTO stockade_audit_link SELECT * FROM stockade_audit_link WHERE seq = 5",
    // Another key of the same table.
    "REPLACE INTO stockade_audit_link SELECT tenant_id, 6, entry_id, hash, leaf, zeroblob(32)
        FROM stockade_audit_link WHERE seq = 5",
    "REPLACE INTO stockade_audit_link SELECT tenant_id, 9, randomblob(16), prev, leaf, hash
        FROM stockade_audit_link WHERE seq = 2",
    "REPLACE INTO stockade_audit_head SELECT tenant_id, chain_id, 0, hash FROM stockade_audit_head",
    "REPLACE INTO stockade_audit_head SELECT tenant_id, randomblob(16), 5, hash FROM stockade_audit_head",
    // A link that is not the next, or of nothing; a value for an entry that has been sealed.
    "INSERT INTO stockade_audit_link SELECT tenant_id, 7, randomblob(16), hash, leaf, zeroblob(32)
        FROM stockade_audit_link WHERE seq = 5",
    "INSERT INTO stockade_audit_link SELECT tenant_id, 6, randomblob(16), hash, leaf, zeroblob(32)
        FROM stockade_audit_link WHERE seq = 5",
    "INSERT INTO stockade_audit_payload SELECT entry_id, 'after/new', x'00', zeroblob(32)
        FROM stockade_audit_entry WHERE entity_id = 'L-3'",
    // Heads.
    "UPDATE stockade_audit_head SET seq = 4",
    "UPDATE stockade_audit_head SET seq = 6",
    "UPDATE stockade_audit_head SET seq = 4, hash = (SELECT hash FROM stockade_audit_link WHERE seq = 4)",
    "UPDATE stockade_audit_head SET chain_id = randomblob(16)",
    "UPDATE OR REPLACE stockade_audit_head SET tenant_id = zeroblob(16)",
    "INSERT INTO stockade_audit_head VALUES (randomblob(16), randomblob(16), 7, zeroblob(32))",
];

/// Everything that is stored, in one text.
async fn dump(connection: &mut SqliteConnection) -> String {
    let mut dump = String::new();
    for table in [
        "SELECT hex(entry_id) || action || leaf AS row FROM stockade_audit_entry ORDER BY 1",
        "SELECT hex(entry_id) || path || hex(value) || hex(salt) FROM stockade_audit_payload ORDER BY 1",
        "SELECT hex(tenant_id) || seq || hex(entry_id) || hex(hash) FROM stockade_audit_link ORDER BY 1",
        "SELECT hex(tenant_id) || hex(chain_id) || seq || hex(hash) FROM stockade_audit_head ORDER BY 1",
    ] {
        for row in sqlx::query(table).fetch_all(&mut *connection).await.unwrap() {
            dump.push_str(&String::from_utf8_lossy(row.get_unchecked::<&[u8], _>(0)));
            dump.push('\n');
        }
    }
    dump
}

#[tokio::test]
async fn rows_cannot_be_changed_removed_or_overwritten() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let before = dump(&mut connection).await;
    for pragma in [
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA recursive_triggers = ON",
        "PRAGMA ignore_check_constraints = ON",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA reverse_unordered_selects = ON",
    ] {
        sqlx::raw_sql(pragma).execute(&mut connection).await.unwrap();
        for attack in ATTACKS {
            assert_eq!(code(sqlx::raw_sql(*attack).execute(&mut connection).await), REFUSED, "{pragma}: {attack}");
        }
    }
    assert_eq!(dump(&mut connection).await, before);
    assert!(report(&mut connection, tenant(1)).await.is_intact());
}

/// Another program writes to the file: its entry is its own affair, its link has to continue the
/// chain. What the triggers cannot see, the hash, verification does.
#[tokio::test]
async fn a_link_is_the_next_of_its_chain_or_refused() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let entry = "INSERT INTO stockade_audit_entry SELECT zeroblob(16), tenant_id, format, recorded_at, occurred_at, action,
        severity, outcome, actor_kind, actor_id, actor_role, on_behalf_of, impersonation, entity_type, entity_id, method,
        endpoint, status, request_id, before, after, changes, commitments, leaf FROM stockade_audit_entry
        WHERE entity_id = 'L-5'";
    sqlx::raw_sql(entry).execute(&mut connection).await.unwrap();
    for link in [
        // A gap, another predecessor, another leaf, another tenant.
        "INSERT INTO stockade_audit_link SELECT tenant_id, 7, zeroblob(16), hash, leaf, hash FROM stockade_audit_link
            WHERE seq = 5",
        "INSERT INTO stockade_audit_link SELECT tenant_id, 6, zeroblob(16), zeroblob(32), leaf, hash
            FROM stockade_audit_link WHERE seq = 5",
        "INSERT INTO stockade_audit_link SELECT tenant_id, 6, zeroblob(16), hash, zeroblob(32), hash
            FROM stockade_audit_link WHERE seq = 5",
        "INSERT INTO stockade_audit_link SELECT zeroblob(16), 6, zeroblob(16), hash, leaf, hash FROM stockade_audit_link
            WHERE seq = 5",
    ] {
        assert_eq!(code(sqlx::raw_sql(link).execute(&mut connection).await), REFUSED, "{link}");
    }
    let next = "INSERT INTO stockade_audit_link SELECT tenant_id, 6, zeroblob(16), hash, leaf, zeroblob(32)
        FROM stockade_audit_link WHERE seq = 5";
    sqlx::raw_sql(next).execute(&mut connection).await.unwrap();
    let found = findings(&report(&mut connection, tenant(1)).await);
    assert_eq!(found, [(Some(6), Finding::LinkBroken), (Some(6), Finding::ContentAltered)]);
}

#[tokio::test]
async fn another_database_that_attaches_the_file_is_bound_as_well() {
    let (log, other) = (Log::of_five().await, Log::new().await);
    let mut connection = other.connect().await;
    let attach = sqlx::query("ATTACH ? AS victim").bind(log.file().to_str().unwrap().to_owned());
    attach.execute(&mut connection).await.unwrap();
    for attack in [
        "REPLACE INTO victim.stockade_audit_entry SELECT * FROM victim.stockade_audit_entry",
        "UPDATE victim.stockade_audit_entry SET action = 'x'",
        "DELETE FROM victim.stockade_audit_link",
        "DELETE FROM victim.stockade_audit_head",
    ] {
        assert_eq!(code(sqlx::raw_sql(attack).execute(&mut connection).await), REFUSED, "{attack}");
    }
}

/// The control: what happens without the trigger on INSERT.
#[tokio::test]
async fn without_the_trigger_on_insert_a_row_is_overwritten_in_silence() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let overwrite = "
        DROP TRIGGER stockade_audit_entry_inserts;
        CREATE TEMP TABLE altered AS SELECT * FROM stockade_audit_entry WHERE entity_id = 'L-3';
        UPDATE altered SET action = 'x';
        INSERT OR REPLACE INTO stockade_audit_entry SELECT * FROM altered";
    sqlx::raw_sql(overwrite).execute(&mut connection).await.unwrap();
    assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_entry WHERE action = 'x'").await, 1);
    assert_eq!(findings(&report(&mut connection, tenant(1)).await), [(Some(3), Finding::ContentAltered)]);
}

/// The control for `WITHOUT ROWID`: a rowid is a key that the trigger on INSERT does not name.
#[tokio::test]
async fn a_rowid_would_be_one_more_key_to_overwrite_by() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let with_rowid = "
        CREATE TABLE plain (id BLOB PRIMARY KEY, action TEXT) STRICT;
        CREATE TRIGGER plain_inserts BEFORE INSERT ON plain
            WHEN EXISTS (SELECT 1 FROM plain p WHERE p.id = NEW.id) BEGIN SELECT RAISE(ABORT, 'exists'); END;
        CREATE TRIGGER plain_deletes BEFORE DELETE ON plain BEGIN SELECT RAISE(ABORT, 'no'); END;
        INSERT INTO plain (rowid, id, action) VALUES (7, x'01', 'first');
        INSERT OR REPLACE INTO plain (rowid, id, action) VALUES (7, x'02', 'second')";
    sqlx::raw_sql(with_rowid).execute(&mut connection).await.unwrap();
    assert_eq!(count(&mut connection, "SELECT count(*) FROM plain WHERE action = 'first'").await, 0);
    for table in [
        "SELECT rowid FROM stockade_audit_entry",
        "SELECT rowid FROM stockade_audit_payload",
        "SELECT rowid FROM stockade_audit_link",
        "SELECT rowid FROM stockade_audit_head",
    ] {
        assert_eq!(code(sqlx::raw_sql(table).execute(&mut connection).await), "1", "{table}");
    }
}

#[tokio::test]
async fn vacuum_and_a_change_of_the_journal_keep_the_log() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let before = dump(&mut connection).await;
    for harmless in ["VACUUM", "REINDEX", "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE"]
    {
        sqlx::raw_sql(harmless).execute(&mut connection).await.unwrap();
        assert_eq!(dump(&mut connection).await, before, "{harmless}");
    }
    let copy = log.file().with_extension("copy");
    let vacuum = sqlx::query("VACUUM INTO ?").bind(copy.to_str().unwrap().to_owned());
    vacuum.execute(&mut connection).await.unwrap();
    let mut copy = sqlx::ConnectOptions::connect(&crate::support::options(&copy)).await.unwrap();
    assert!(report(&mut copy, tenant(1)).await.is_intact());
    let attack = sqlx::raw_sql("DELETE FROM stockade_audit_entry").execute(&mut copy).await;
    assert_eq!(code(attack), REFUSED);
    copy.close().await.unwrap();
}
