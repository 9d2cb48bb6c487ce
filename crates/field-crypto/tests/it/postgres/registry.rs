//! Registered columns against the catalogue.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use stockade_field_crypto::postgres::{ProblemKind, SealedColumns, Site};
use stockade_field_crypto::{ErrorKind, sealed_check};

use super::{migrated, pool_as};
use crate::support::{DriverSsn, DriverSsnIndex, LedgerMemo, SmtpPassword};

fn columns() -> SealedColumns {
    SealedColumns::new()
        .column::<DriverSsn>(Site::table("public.drivers").index::<DriverSsnIndex>().plain("ssn_plain"))
        .column::<LedgerMemo>(
            Site::table("public.\"Ledger\"").key("entry_id").tenant("company_id").sealed("memo sealed"),
        )
        .column::<SmtpPassword>(Site::table("public.settings").key("tenant_id"))
}

async fn tables(pool: &PgPool, drivers: &str) {
    let drivers = drivers.replace("{check}", &sealed_check::<DriverSsn>());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE TABLE public.drivers ({drivers})"))).execute(pool).await.unwrap();
    let check = sealed_check::<LedgerMemo>().replace("\"memo\"", "\"memo sealed\"");
    let settings = sealed_check::<SmtpPassword>();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE TABLE public.\"Ledger\" (company_id uuid NOT NULL, entry_id bigint NOT NULL, \"memo sealed\" bytea CHECK ({check}), \
             UNIQUE (company_id, entry_id)) PARTITION BY LIST (company_id);
         CREATE TABLE public.settings (tenant_id uuid PRIMARY KEY, smtp_password bytea CHECK ({settings}))"
    )))
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrations = false)]
async fn columns_as_registered_have_no_problem(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = migrated(pool, &options).await;
    tables(
        &pool,
        "id uuid PRIMARY KEY, tenant_id uuid NOT NULL, ssn bytea CHECK ({check}), ssn_index bytea, ssn_plain varchar(11)",
    )
    .await;
    for role in ["stockade_rotator", "stockade_app", "stockade_keyring"] {
        columns().verify(&pool_as(options.clone(), role).await).await.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn every_problem_is_reported_at_once(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = migrated(pool, &options).await;
    // A check that lets the version byte through and one that is not valid yet; a deferrable key, and one with a predicate.
    tables(
        &pool,
        "id bigint, tenant_id text, ssn bytea CHECK (octet_length(ssn) >= 33), ssn_index text, ssn_plain json, \
         UNIQUE (id) DEFERRABLE",
    )
    .await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "DROP TABLE public.settings;
         CREATE UNIQUE INDEX ON public.drivers (id) WHERE tenant_id IS NOT NULL;
         ALTER TABLE public.drivers ADD CHECK ({}) NOT VALID;
         ALTER TABLE public.\"Ledger\" DROP COLUMN \"memo sealed\"",
        sealed_check::<DriverSsn>()
    )))
    .execute(&pool)
    .await
    .unwrap();
    let columns = columns().column::<DriverSsn>(Site::table("drivers"));
    let problems: Vec<_> = columns.problems(&pool).await.unwrap();
    let found: Vec<_> =
        problems.iter().map(|problem| (problem.table, problem.column.as_deref(), problem.kind)).collect();
    let drivers = "public.drivers";
    assert_eq!(
        found,
        [
            (drivers, Some("id"), ProblemKind::KeyType),
            (drivers, Some("id"), ProblemKind::KeyNullable),
            (drivers, Some("id"), ProblemKind::KeyNotUnique),
            (drivers, Some("tenant_id"), ProblemKind::TenantType),
            (drivers, Some("ssn_index"), ProblemKind::NotBytea),
            (drivers, Some("ssn_plain"), ProblemKind::PlainType),
            (drivers, Some("ssn"), ProblemKind::NotChecked),
            ("public.\"Ledger\"", Some("memo sealed"), ProblemKind::NoColumn),
            ("public.settings", None, ProblemKind::NoTable),
            ("drivers", None, ProblemKind::NoSchema),
        ]
    );
    let error = columns.verify(&pool).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::InvalidColumns, false));
    let message = error.to_string();
    assert!(problems.iter().all(|problem| message.contains(&problem.to_string())), "{message}");
    assert!(
        message.contains("`public.drivers`, column `ssn`, has no constraint that keeps plain text out"),
        "{message}"
    );
    assert!(!message.contains('\n'));
}

/// A constraint counts by what it refuses: one that is written otherwise and is stricter will do.
#[sqlx::test(migrations = false)]
async fn another_constraint_that_refuses_plain_text_will_do(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = migrated(pool, &options).await;
    tables(
        &pool,
        "id uuid PRIMARY KEY, tenant_id uuid NOT NULL, ssn bytea NOT NULL \
             CHECK (get_byte(ssn, 0) = 1 AND octet_length(ssn) = 44) CHECK (position('\\x00000000' in ssn) <> 2), \
         ssn_index bytea, ssn_plain text",
    )
    .await;
    // `get_byte` fails on an empty value instead of refusing it.
    let error = columns().verify(&pool).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    sqlx::raw_sql(
        "ALTER TABLE public.drivers DROP CONSTRAINT drivers_ssn_check;
         ALTER TABLE public.drivers ADD CHECK (substr(ssn, 1, 1) = '\\x01' AND octet_length(ssn) = 44)",
    )
    .execute(&pool)
    .await
    .unwrap();
    columns().verify(&pool).await.unwrap();
}
