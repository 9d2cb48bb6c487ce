//! A database in which `set_config` was taken from everybody, as rls-migrations does.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres, Transaction};
use stockade_audit_chain::{
    Actor, ErrorKind, RequestContext,
    postgres::{Capture, Filter, StrictTransaction, attach, capture_as, capture_context, record, search},
};

use crate::support::{APP, ATTACHER, append, connect, entry, install, report, seal, sqlstate, tenant};

const HARDEN: &str = "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC";

/// As the examples of the README do it.
async fn begin<'c>(app: &'c mut PgConnection, more: &str) -> Transaction<'c, Postgres> {
    let mut tx = app.begin().await.unwrap();
    let context = format!("SET LOCAL stockade.tenant_id = '{}'{more}", tenant(1));
    sqlx::raw_sql(AssertSqlSafe(context)).execute(&mut *tx).await.unwrap();
    tx
}

#[sqlx::test(migrations = false)]
async fn what_the_examples_do_needs_no_set_config(pool: PgPool) {
    install(&pool).await;
    let mut attacher = connect(&pool, ATTACHER).await;
    let table =
        "CREATE TABLE invoices (tenant_id uuid NOT NULL, id int PRIMARY KEY); GRANT INSERT ON invoices TO PUBLIC";
    sqlx::raw_sql(table).execute(&mut attacher).await.unwrap();
    assert!(attach(&mut attacher, &Capture::table("invoices").named("invoice")).await.unwrap());
    sqlx::query(HARDEN).execute(&pool).await.unwrap();
    let mut app = connect(&pool, APP).await;
    let call = sqlx::query("SELECT set_config('stockade.tenant_id', '', true)").execute(&mut app).await;
    assert_eq!(sqlstate(call), "42501", "the control");

    let mut tx = begin(&mut app, "").await;
    record(&mut *tx, &entry(tenant(1), 1)).await.unwrap();
    tx.commit().await.unwrap();

    let (user, request) = (Actor::user("o'brien $1"), RequestContext::new().user_agent("'; COMMIT; --"));
    let said = capture_context(&user, &request).unwrap();
    let mut tx = begin(&mut app, &format!("; SET LOCAL stockade.audit_context = '{said}'")).await;
    let insert = format!("INSERT INTO invoices VALUES ('{}', 7)", tenant(1));
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut *tx).await.unwrap();
    let captured = search(&mut *tx, &Filter::new(tenant(1)).action("invoice.insert")).await.unwrap().rows;
    tx.commit().await.unwrap();
    assert_eq!(captured.len(), 1);
    assert_eq!(
        (captured[0].actor_id.as_str(), captured[0].user_agent.as_deref()),
        ("o'brien $1", Some("'; COMMIT; --"))
    );

    seal(&pool).await;
    assert!(report(&pool, tenant(1)).await.is_intact());
}

/// What needs it says so, and works once it is given.
#[sqlx::test(migrations = false)]
async fn what_sets_more_needs_the_privilege(pool: PgPool) {
    install(&pool).await;
    sqlx::query(HARDEN).execute(&pool).await.unwrap();
    let mut app = connect(&pool, APP).await;
    let mut tx = begin(&mut app, "").await;
    let refused = capture_as(&mut *tx, &Actor::user("u-1"), &RequestContext::new()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    tx.rollback().await.unwrap();
    let strict = async |app: &mut PgConnection| {
        let mut tx = StrictTransaction::begin(app).await?;
        let context = format!("SET LOCAL stockade.tenant_id = '{}'", tenant(1));
        sqlx::raw_sql(AssertSqlSafe(context)).execute(&mut *tx).await.unwrap();
        tx.commit(&[entry(tenant(1), 1)]).await
    };
    assert!(strict(&mut app).await.is_err());
    sqlx::query("GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO stockade_audit_test_app")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(strict(&mut app).await.unwrap().len(), 1);
}

/// A sealer that waits for a head which somebody holds limits its wait without the function.
#[sqlx::test(migrations = false)]
async fn a_sealer_waits_for_a_held_head_without_it(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    append(&pool, tenant(1), 1).await;
    sqlx::query(HARDEN).execute(&pool).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM stockade.audit_head FOR UPDATE").execute(&mut *holder).await.unwrap();
    assert_eq!(seal(&pool).await.busy, [tenant(1)]);
    holder.rollback().await.unwrap();
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact() && report.checked() == 2, "{report:?}");
}
