//! Captured entries through everything that the log does with entries.

use serde_json::{Value, json};
use sqlx::PgPool;
use stockade_audit_chain::{
    Actor, BundleVerifier, ErasureRequest, PurgeRequest,
    postgres::{ExportRequest, Filter, Purge, Subject, erase, purge, search},
};

use crate::{
    capture::{captured, work},
    export::export,
    reference::second_opinion_of,
    support::{ERASER, PURGER, SEALER, connect, report, seal, tenant},
};

/// The clock of the database says 2017, so that there is something to purge.
const THEN: &str = "
    SET ROLE stockade_owner;
    SELECT stockade.audit_add_month('2017-01-15');
    RESET ROLE;
    ALTER POLICY audit_capturer_appends ON stockade.audit_entry WITH CHECK (true);
    DO $$ BEGIN EXECUTE replace(
        pg_get_functiondef('stockade.audit_write(uuid, text, text, text, jsonb, jsonb, text[])'::regprocedure),
        'clock_timestamp()', '''2017-01-15 12:00:00+00''::timestamptz'); END $$;";
const NOW: &str = "
    DO $$ BEGIN EXECUTE replace(
        pg_get_functiondef('stockade.audit_write(uuid, text, text, text, jsonb, jsonb, text[])'::regprocedure),
        '''2017-01-15 12:00:00+00''::timestamptz', 'clock_timestamp()'); END $$;";

async fn bundle(pool: &PgPool) -> Vec<u8> {
    export(pool, ExportRequest::bundle(tenant(1), Actor::user("officer"))).await
}

#[sqlx::test(migrations = false)]
async fn captured_entries_are_searched_exported_erased_and_purged_as_any(pool: PgPool) {
    captured(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    sqlx::raw_sql(THEN).execute(&mut *superuser).await.unwrap();
    let rows = "INSERT INTO loads SELECT '00000000-0000-0000-0000-000000000001', n, 'driver ' || n FROM generate_series(1, 3) n";
    work(&pool, rows).await;
    sqlx::raw_sql(NOW).execute(&mut *superuser).await.unwrap();
    work(&pool, "UPDATE loads SET driver = 'Cruz', rate = 12.50; DELETE FROM loads WHERE id = 2").await;
    seal(&pool).await;
    assert_eq!(report(&pool, tenant(1)).await.checked(), 7);

    // Search, a table, and a bundle that an outsider verifies.
    let mut sealer = connect(&pool, SEALER).await;
    let found = search(&mut sealer, &Filter::new(tenant(1)).entity("load", 2)).await.unwrap().rows;
    let actions: Vec<_> = found.iter().rev().map(|row| row.action.as_str()).collect();
    assert_eq!(actions, ["load.insert", "load.update", "load.delete"]);
    let driver = |state: &Option<Value>| state.as_ref().map(|state| state["driver"].clone());
    assert_eq!((driver(&found[1].before), driver(&found[1].after)), (Some(json!("driver 2")), Some(json!("Cruz"))));
    let table = export(&pool, ExportRequest::csv(Filter::new(tenant(1)), Actor::user("officer"))).await;
    assert!(String::from_utf8(table).unwrap().contains("driver 2"));
    seal(&pool).await;
    let head = *report(&pool, tenant(1)).await.head().unwrap();
    let file = bundle(&pool).await;
    assert!(BundleVerifier::new().kept_head(head).verify(file.as_slice()).unwrap().is_complete());

    // Erasure of what the entries say of an entity.
    let request = ErasureRequest::new(Actor::user("officer"), "R-1", "GDPR Art. 17(1)(b)");
    let subject = Subject::Entity { kind: "load".to_owned(), id: "2".to_owned() };
    let erased = erase(&mut connect(&pool, ERASER).await, tenant(1), &subject, &request).await.unwrap();
    assert_eq!((erased.erased.len(), erased.altered.len()), (4, 0));
    let found = search(&mut sealer, &Filter::new(tenant(1)).entity("load", 2)).await.unwrap().rows;
    assert!(
        found.iter().all(|row| [&row.before, &row.after].into_iter().flatten().all(|state| state["driver"].is_null()))
    );
    seal(&pool).await;
    assert_eq!(report(&pool, tenant(1)).await.erased(), 4);

    // A purge of their month.
    let kept = *report(&pool, tenant(1)).await.head().unwrap();
    let nil = *report(&pool, tenant(0)).await.head().unwrap();
    let order = PurgeRequest::new(Actor::system("retention"), "P-1");
    let before = "2017-02-01T00:00:00Z".parse().unwrap();
    let purged = purge(&mut connect(&pool, PURGER).await, before, &order, &[kept, nil]).await.unwrap();
    assert!(matches!(purged, Purge::Done { months: 1, .. }), "{purged:?}");
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.purged(), 3);
    assert!(
        BundleVerifier::new()
            .kept_head(*report.head().unwrap())
            .verify(bundle(&pool).await.as_slice())
            .unwrap()
            .is_intact()
    );
    assert_eq!(second_opinion_of(&mut superuser).await, json!([]));
}
