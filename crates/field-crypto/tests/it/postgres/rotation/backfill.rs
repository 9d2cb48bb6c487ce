//! From plain text to sealed values, and what coverage says of it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{CoverageTotals, JobEnd, Pace, RowFailureReason, RowKey, TenantCoverage};
use stockade_field_crypto::{Sealed, TenantId};
use uuid::Uuid;

use super::{AT_ONCE, Desk, in_tenant, to_the_end};
use crate::support::{BankAccount, key_id, new_tenant, secret};

const FIFTY: Pace = Pace::batches_of(NonZeroU32::new(50).unwrap());

async fn plain(desk: &Desk, tenant: TenantId, rows: u32) -> BTreeMap<Uuid, String> {
    let accounts: BTreeMap<Uuid, String> = (0..rows).map(|n| (Uuid::now_v7(), format!("DE{n:020} \u{e4}"))).collect();
    sqlx::query(
        "INSERT INTO drivers (id, tenant_id, bank_plain) SELECT r.id, $1, r.plain FROM unnest($2::uuid[], $3::text[]) AS r (id, plain)",
    )
    .bind(tenant.as_uuid())
    .bind(accounts.keys().copied().collect::<Vec<_>>())
    .bind(accounts.values().cloned().collect::<Vec<_>>())
    .execute(&desk.admin)
    .await
    .unwrap();
    accounts
}

async fn coverage(desk: &Desk, tenant: TenantId) -> TenantCoverage {
    let mut transaction = in_tenant(&desk.pool, tenant).await;
    let columns = desk.columns.coverage(&mut transaction).await.unwrap();
    assert_eq!(columns.iter().map(|column| column.column).collect::<Vec<_>>(), ["ssn", "bank_account", "memo"]);
    assert_eq!(columns[1].tenants.len(), 1);
    assert_eq!(columns[1].tenants[0].tenant, tenant);
    columns[1].tenants[0].clone()
}

#[sqlx::test(migrations = false)]
async fn plain_text_is_sealed_in_batches_and_verified(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let accounts = plain(&desk, desk.tenant, 170).await;
    let other = new_tenant();
    desk.vault.provision(other).await.unwrap();
    plain(&desk, other, 3).await;
    assert_eq!((coverage(&desk, desk.tenant).await.plain, coverage(&desk, desk.tenant).await.current), (170, 0));

    // Interrupted after a batch, and continued.
    let report = desk.rewriter().with_pace(FIFTY).backfill(desk.tenant, |_| ControlFlow::Break(())).await.unwrap();
    assert_eq!((report.sealed, report.end), (50, JobEnd::Stopped));
    let keys = desk.vault.tenant(desk.tenant).await.unwrap();
    let check = desk.columns.verify_backfill(&keys, &desk.pool).await.unwrap();
    assert_eq!((check.equal, check.differing, check.unsealed, check.is_complete()), (50, 0, 120, false));
    let report = desk.rewriter().with_pace(FIFTY).backfill(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.failed), (120, 0));
    let check = desk.columns.verify_backfill(&keys, &desk.pool).await.unwrap();
    assert_eq!((check.equal, check.is_complete()), (170, true));
    assert_eq!(coverage(&desk, other).await.plain, 3);

    let rows: Vec<(Uuid, Sealed<BankAccount>)> =
        sqlx::query_as("SELECT id, bank_account FROM drivers WHERE tenant_id = $1")
            .bind(desk.tenant.as_uuid())
            .fetch_all(&desk.admin)
            .await
            .unwrap();
    for (id, sealed) in rows {
        assert_eq!(*keys.open(&id, &sealed).unwrap().expose(), accounts[&id]);
    }
}

/// The old application changes a plain text after it was sealed, and one that is being sealed.
#[sqlx::test(migrations = false)]
async fn a_plain_text_that_changed_is_found(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let accounts = plain(&desk, desk.tenant, 5).await;
    desk.rewriter().backfill(desk.tenant, to_the_end).await.unwrap();
    let changed = *accounts.first_key_value().unwrap().0;
    sqlx::query("UPDATE drivers SET bank_plain = 'x' WHERE id = $1").bind(changed).execute(&desk.admin).await.unwrap();
    let keys = desk.vault.tenant(desk.tenant).await.unwrap();
    let check = desk.columns.verify_backfill(&keys, &desk.pool).await.unwrap();
    assert_eq!((check.equal, check.differing, check.is_complete()), (4, 1, false));
    assert_eq!(check.rows, [RowKey::Id(changed)]);

    // What was sealed of an earlier text is not written.
    let id = Uuid::now_v7();
    sqlx::query("INSERT INTO drivers (id, tenant_id, bank_plain) VALUES ($1, $2, 'new')")
        .bind(id)
        .bind(desk.tenant.as_uuid())
        .execute(&desk.admin)
        .await
        .unwrap();
    let sealed: Sealed<BankAccount> = keys.seal(&id, &secret("old")).unwrap();
    let mut transaction = in_tenant(&desk.pool, desk.tenant).await;
    let written: i64 = sqlx::query_scalar(
        "SELECT stockade.field_write('drivers'::regclass, 'id', 'tenant_id', 'bank_account', 'bank_plain', '{}', $1, $2, $3, $4, '{}')",
    )
    .bind(desk.tenant.as_uuid())
    .bind([id.to_string()])
    .bind([b"old".as_slice()])
    .bind([&sealed])
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    assert_eq!(written, 0);
}

/// A plain column that holds what is sealed already: sealing it twice is how data is lost.
#[sqlx::test(migrations = false)]
async fn what_is_sealed_already_is_reported(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let keys = desk.vault.tenant(desk.tenant).await.unwrap();
    let id = Uuid::now_v7();
    let sealed: Sealed<BankAccount> = keys.seal(&id, &secret("DE1")).unwrap();
    sqlx::query("INSERT INTO drivers (id, tenant_id, bank_plain) VALUES ($1, $2, $3), (gen_random_uuid(), $2, 'DE2')")
        .bind(id)
        .bind(desk.tenant.as_uuid())
        .bind(sealed.to_text())
        .execute(&desk.admin)
        .await
        .unwrap();
    let report = desk.rewriter().backfill(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.failed), (1, 1));
    assert_eq!((report.failures[0].row, report.failures[0].reason), (RowKey::Id(id), RowFailureReason::NotPlain));
}

#[sqlx::test(migrations = false)]
async fn coverage_tells_every_state_apart(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    plain(&desk, desk.tenant, 12).await;
    desk.rewriter().backfill(desk.tenant, to_the_end).await.unwrap();
    // 12 under key 1; 5 of them go to key 3, and one to a key that nobody knows; 4 more are plain, 2 null, 1 malformed.
    let [new, _] = desk.promote().await;
    desk.rewriter()
        .with_pace(Pace::batches_of(NonZeroU32::new(5).unwrap()))
        .rewrite(desk.tenant, |_| ControlFlow::Break(()))
        .await
        .unwrap();
    plain(&desk, desk.tenant, 4).await;
    sqlx::raw_sql(
        "UPDATE drivers SET bank_account = overlay(bank_account PLACING '\\xf0000009' FROM 2)
             WHERE id = (SELECT id FROM drivers WHERE substring(bank_account FROM 2 FOR 4) = '\\x00000001' LIMIT 1);
         ALTER TABLE drivers DROP CONSTRAINT drivers_bank_account_check;",
    )
    .execute(&desk.admin)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO drivers (id, tenant_id, bank_account) VALUES (gen_random_uuid(), $1, NULL), (gen_random_uuid(), $1, NULL), \
         (gen_random_uuid(), $1, 'DE12')",
    )
    .bind(desk.tenant.as_uuid())
    .execute(&desk.admin)
    .await
    .unwrap();
    let rows = coverage(&desk, desk.tenant).await;
    assert_eq!((rows.current, rows.plain, rows.null, rows.malformed), (5, 4, 2, 1));
    assert_eq!(rows.older, BTreeMap::from([(key_id(1), 6)]));
    assert_eq!(rows.lost, BTreeMap::from([(key_id(0xf000_0009), 1)]));

    // All tenants at once, as a role that sees them.
    let other = new_tenant();
    desk.vault.provision(other).await.unwrap();
    plain(&desk, other, 3).await;
    let mut connection = desk.admin.acquire().await.unwrap();
    let columns = desk.columns.coverage(&mut connection).await.unwrap();
    assert_eq!(columns[1].tenants.len(), 2);
    let mut totals = CoverageTotals::default();
    (totals.current, totals.older, totals.lost, totals.plain, totals.null, totals.malformed) = (5, 6, 1, 7, 2, 1);
    assert_eq!(columns[1].totals(), totals);

    // The key that cannot be opened keeps nobody from retiring; the one that is used does.
    let refused = desk.vault.retire(desk.tenant, key_id(1), &desk.uses(), AT_ONCE).await.unwrap();
    assert_eq!(refused, stockade_field_crypto::KeyChange::InUse { values: 6 });
    assert_eq!(new, key_id(3));
}
