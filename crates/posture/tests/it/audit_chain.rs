//! The audit log, sound and broken on purpose.

mod anchor;
mod coverage;

use std::future::pending;

use sqlx::{Connection as _, PgPool};
use stockade_audit_chain::{
    Actor, Entry, RequestContext, TenantId,
    postgres::{Sealer, VerifyOptions, health, migrator, record},
};
use stockade_posture::{
    ControlId, Subject,
    audit_chain::{Chains, chains, rules, rules_compared},
    run,
};
use uuid::Uuid;

use crate::support::{acting_as, assert_lost, change, lost, measured, shortfalls, told};

const ACME: Uuid = Uuid::from_u128(0xac);
const BRIGHT: Uuid = Uuid::from_u128(0xb0);

const DISARM: &str =
    "ALTER TABLE stockade.audit_entry DISABLE TRIGGER USER; ALTER TABLE stockade.audit_link DISABLE TRIGGER USER;
    ALTER TABLE stockade.audit_head DISABLE TRIGGER USER; ALTER TABLE stockade.audit_payload DISABLE TRIGGER USER;";

/// The log with three entries of each of two tenants, sealed.
async fn log(pool: &PgPool) {
    migrator().run(pool).await.unwrap();
    for tenant in [ACME, BRIGHT] {
        append(pool, tenant, 3).await;
    }
    seal(pool).await;
}

async fn append(pool: &PgPool, tenant: Uuid, count: usize) {
    let mut connection = acting_as(pool, "stockade_app").await;
    let mut tx = connection.begin().await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant.to_string());
    context.execute(&mut *tx).await.unwrap();
    for _ in 0..count {
        let entry = Entry::new(TenantId::from(tenant), Actor::user("u-17"), "load.update")
            .request(RequestContext::new().endpoint("POST", "/loads/{id}"));
        record(&mut *tx, &entry).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn seal(pool: &PgPool) {
    Sealer::new().seal_pending(&mut acting_as(pool, "stockade_sealer").await).await.unwrap();
}

fn name(tenant: Uuid) -> String {
    format!("audit log of tenant {tenant}")
}

#[sqlx::test]
async fn chains_that_verify_pass(pool: PgPool) {
    log(&pool).await;
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let options = VerifyOptions::new();
    let seen = measured(chains(&mut sealer, Chains::all(), &options)).await;
    let pass = |tenant| format!("audit.verifies {} pass", name(tenant));
    assert_eq!(told(&seen), [pass(ACME), pass(BRIGHT)]);
    assert_eq!(seen[0].facts()["entries"], 3.into());

    let named = Chains::of([(TenantId::from(BRIGHT), Subject::new("audit log of Bright Web Studio"))]);
    let seen = measured(chains(&mut sealer, named, &options)).await;
    assert_eq!(told(&seen), ["audit.verifies audit log of Bright Web Studio pass"]);
}

#[sqlx::test]
async fn an_altered_entry_fails_the_chain_of_its_tenant(pool: PgPool) {
    log(&pool).await;
    change(&pool, DISARM).await;
    let alter = "UPDATE stockade.audit_entry SET action = 'load.delete' WHERE entry_id =
        (SELECT l.entry_id FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.seq = 2)";
    sqlx::query(alter).bind(BRIGHT).execute(&pool).await.unwrap();
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let seen = measured(chains(&mut sealer, Chains::all(), &VerifyOptions::new())).await;
    let expected = format!("audit.verifies {} fail: entry 2: ", name(BRIGHT));
    assert_eq!((seen.len(), shortfalls(&seen).len()), (2, 1));
    assert!(shortfalls(&seen)[0].starts_with(&expected), "{seen:?}");
}

/// An empty log would look intact, and so would one that this role does not see.
#[sqlx::test]
async fn chains_that_nobody_sees_are_unknown(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let options = VerifyOptions::new();
    let of_acme = || Chains::of([(TenantId::from(ACME), Subject::new("acme"))]);
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let seen = measured(chains(&mut sealer, of_acme(), &options)).await;
    assert_eq!(told(&seen), ["audit.verifies acme unknown: the log has no entry"]);
    let seen = measured(chains(&mut sealer, Chains::all(), &options)).await;
    assert_eq!(
        told(&seen),
        ["audit.verifies audit_chain.chains unknown: the collector reported nothing for this control"]
    );
    append(&pool, ACME, 1).await;
    let mut app = acting_as(&pool, "stockade_app").await;
    let seen = measured(chains(&mut app, of_acme(), &options)).await;
    assert_eq!(told(&seen), ["audit.verifies audit_chain.chains unknown: what is measured could not be read"]);
    assert_lost(&measured(chains(&mut lost(&pool).await, Chains::all(), &options)).await);
}

/// The deadline of the caller ends a verification, and leaves a connection that can be used.
#[sqlx::test]
async fn a_verification_that_takes_too_long_is_unknown(pool: PgPool) {
    log(&pool).await;
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE stockade.audit_link IN ACCESS EXCLUSIVE MODE").execute(&mut *blocker).await.unwrap();
    sqlx::query("SET statement_timeout = '100ms'").execute(&mut sealer).await.unwrap();
    let seen = measured(chains(&mut sealer, Chains::all(), &VerifyOptions::new())).await;
    let reason = "the database cancelled the query after its statement timeout";
    assert_eq!(told(&seen), [format!("audit.verifies audit_chain.chains unknown: {reason}")]);
    blocker.rollback().await.unwrap();
    let seen = run(chains(&mut sealer, Chains::all(), &VerifyOptions::new()), chrono::Utc::now(), pending()).await;
    assert_eq!(shortfalls(&seen), Vec::<String>::new());
}

/// Roles belong to the whole server, and the suites of other crates join them: such a member is the one deviation here that is none of
/// this test's.
#[sqlx::test]
async fn rules_as_they_were_made_pass(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let mut found = health(&pool).await.unwrap();
    found.deviations.retain(|deviation| !deviation.to_string().contains(", membership "));
    let seen = rules_compared(&found, chrono::Utc::now());
    assert_eq!(told(&seen), ["audit.append_only rules of the audit log pass"]);
    let mut anybody = pool.acquire().await.unwrap();
    let seen = measured(rules(&mut anybody)).await;
    assert!(shortfalls(&seen).iter().all(|line| line.contains(", membership ")), "{seen:?}");
}

#[sqlx::test]
async fn rules_that_were_changed_fail_by_the_name_of_their_object(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    change(&pool, "ALTER TABLE stockade.audit_link DISABLE TRIGGER audit_append_only").await;
    change(&pool, "GRANT UPDATE ON stockade.audit_head TO stockade_app").await;
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let seen = measured(rules(&mut sealer)).await;
    let failing: Vec<_> = seen.iter().filter(|o| o.subject().as_str().contains("audit_")).collect();
    let [head, link] = &failing[..] else { panic!("{seen:?}") };
    assert!(failing.iter().all(|o| o.control() == ControlId::AUDIT_APPEND_ONLY && o.outcome().word() == "fail"));
    assert!(head.subject().as_str().contains("audit_head"), "{head:?}");
    assert!(link.subject().as_str().contains("audit_link"), "{link:?}");
    assert!(link.outcome().reason().unwrap().contains("audit_append_only"), "{link:?}");
    assert!(seen.iter().all(|o| o.outcome().word() != "pass"), "nothing passes beside it");
}

#[sqlx::test]
async fn rules_that_cannot_be_read_are_unknown(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    assert_lost(&measured(rules(&mut lost(&pool).await)).await);
}
