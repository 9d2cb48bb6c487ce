//! What can be done to the schema is noticed.

use stockade_audit_chain::sqlite::{Difference, health, migrator};

use crate::support::{Log, count};

#[tokio::test]
async fn a_changed_schema_is_noticed() {
    for (attack, expected) in [
        (
            "DROP TRIGGER stockade_audit_entry_inserts",
            vec![Difference::Missing("stockade_audit_entry_inserts".to_owned())],
        ),
        (
            "DROP TRIGGER stockade_audit_entry_updates;
            CREATE TRIGGER stockade_audit_entry_updates BEFORE UPDATE ON stockade_audit_entry WHEN false
            BEGIN SELECT RAISE(ABORT, 'no'); END",
            vec![Difference::Altered("stockade_audit_entry_updates".to_owned())],
        ),
        (
            "CREATE TRIGGER harmless BEFORE INSERT ON Stockade_Audit_Entry BEGIN SELECT RAISE(IGNORE); END",
            vec![Difference::Unexpected("harmless".to_owned())],
        ),
        (
            "CREATE TEMP TRIGGER harmless BEFORE INSERT ON main.stockade_audit_entry BEGIN SELECT RAISE(IGNORE); END",
            vec![Difference::Unexpected("temp.harmless".to_owned())],
        ),
        (
            "CREATE TEMP TABLE stockade_audit_entry (x)",
            vec![Difference::Unexpected("temp.stockade_audit_entry".to_owned())],
        ),
        (
            "DROP INDEX stockade_audit_entry_by_time",
            vec![Difference::Missing("stockade_audit_entry_by_time".to_owned())],
        ),
        (
            "ALTER TABLE stockade_audit_link ADD COLUMN note TEXT",
            vec![Difference::Altered("stockade_audit_link".to_owned())],
        ),
        // Without any statement that names the object.
        (
            "PRAGMA writable_schema = ON;
            DELETE FROM sqlite_schema WHERE name = 'stockade_audit_link_deletes';
            UPDATE sqlite_schema SET sql = replace(sql, 'BEFORE UPDATE', 'AFTER UPDATE')
                WHERE name = 'stockade_audit_link_updates';
            PRAGMA writable_schema = RESET",
            vec![
                Difference::Missing("stockade_audit_link_deletes".to_owned()),
                Difference::Altered("stockade_audit_link_updates".to_owned()),
            ],
        ),
    ] {
        let log = Log::of_five().await;
        let mut connection = log.connect().await;
        assert!(health(&mut connection).await.unwrap().is_intact());
        sqlx::raw_sql(attack).execute(&mut connection).await.unwrap();
        let found = health(&mut connection).await.unwrap();
        assert_eq!(found.differences(), expected, "{attack}");
        assert!(!found.is_intact());
    }
}

#[tokio::test]
async fn a_log_that_was_never_made_or_was_dropped_is_not_healthy() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let drop = "DROP TABLE stockade_audit_entry; DROP TABLE stockade_audit_payload;
        DROP TABLE stockade_audit_link; DROP TABLE stockade_audit_head";
    sqlx::raw_sql(drop).execute(&mut connection).await.unwrap();
    let found = health(&mut connection).await.unwrap();
    assert!(found.differences().contains(&Difference::Missing("stockade_audit_head".to_owned())));
    assert!(found.differences().iter().all(|difference| matches!(difference, Difference::Missing(_))));
}

#[tokio::test]
async fn the_applications_own_schema_is_its_own() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let own = "
        CREATE TABLE loads (rate INTEGER); CREATE TABLE stockadeXauditX (x);
        CREATE TABLE _sqlx_migrations (version BIGINT)";
    sqlx::raw_sql(own).execute(&mut connection).await.unwrap();
    migrator().run(&mut connection).await.unwrap();
    assert!(health(&mut connection).await.unwrap().is_intact());
    assert_eq!(count(&mut connection, "SELECT count(*) FROM _stockade_audit_chain_migrations").await, 2);
}

#[test]
fn a_released_migration_never_changes() {
    let checksums: Vec<_> = migrator().iter().map(|migration| hex::encode(&migration.checksum)).collect();
    let released = [
        "cb3eb305b3c494a9196bb7fdcd384be6d771edd1db166572e148cb2ea2d60d130497abded9d7363dc2b4151ff75dc235",
        "e9cdcd324fa61aacd0eaaab5b47b5e74a7613c514e76942520688fb5be4ac49246107ded1cdb7f63516d49d8b84dc191",
    ];
    assert_eq!(checksums, released, "add a migration instead");
}
