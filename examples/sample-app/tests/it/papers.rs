//! Documents, settlements, bank accounts and switches: what changes has its before and after, and what leaves is counted and logged.

use http::StatusCode;
use sample_app::seed::{ACCOUNTANT, ACME, ADMIN, BRIGHT, DISPATCHER, FAR_DISPATCHER, GUEST, OWNER, Tenant, VIEWER};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::browser::{Browser, app};

/// The documents of one of a tenant's loads.
async fn documents(pool: &PgPool, tenant: &Tenant, load: usize) -> Vec<Uuid> {
    sqlx::query_scalar("SELECT id FROM freight.documents WHERE load_id = $1 ORDER BY name")
        .bind(tenant.load(load))
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn entries(pool: &PgPool, action: &str) -> Vec<(Option<Value>, Option<Value>)> {
    sqlx::query_as(
        "SELECT before, after FROM stockade.audit_entry WHERE action = $1 AND outcome = 'success' ORDER BY entry_id",
    )
    .bind(action)
    .fetch_all(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_download_is_logged_and_whoever_does_not_see_the_load_gets_nothing(pool: PgPool) {
    let app = app(&pool).await;
    let document = documents(&pool, &ACME, 0).await[0];
    let path = format!("/documents/{document}");
    // The first load is the dispatcher's in Savannah.
    for (person, status) in [
        (OWNER, StatusCode::OK),
        (VIEWER, StatusCode::OK),
        (DISPATCHER, StatusCode::OK),
        (FAR_DISPATCHER, StatusCode::NOT_FOUND),
        (GUEST, StatusCode::FORBIDDEN),
    ] {
        let mut browser = Browser::signed_in(&app, &ACME, &person).await;
        let page = browser.get(&path).await;
        assert_eq!(page.status, status, "{}: {}", person.role, page.text);
        assert_eq!(page.text.starts_with("RATE CONFIRMATION"), status == StatusCode::OK, "{}", page.text);
    }
    let mut other = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert_eq!(other.get(&path).await.status, StatusCode::NOT_FOUND);
    let logged = entries(&pool, "document.download").await;
    assert_eq!(logged.len(), 3, "one for each that was handed over");
    let after = logged[0].1.as_ref().unwrap();
    assert!(after["sha256"].as_str().unwrap().len() == 64 && after["name"] == "rate-confirmation.txt", "{after}");
}

#[sqlx::test(migrations = false)]
async fn downloads_are_limited_for_a_person(pool: PgPool) {
    let app = app(&pool).await;
    let document = documents(&pool, &ACME, 0).await[0];
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let mut handed_over = 0;
    while viewer.get(&format!("/documents/{document}")).await.status == StatusCode::OK {
        handed_over += 1;
        assert!(handed_over <= 30, "there is no limit");
    }
    assert_eq!(handed_over, 30);
    let page = viewer.get(&format!("/documents/{document}")).await;
    assert!(page.status == StatusCode::TOO_MANY_REQUESTS && page.retry_after.is_some());
    app.seal_now().await.unwrap();
    let logged = entries(&pool, "document.download").await.len();
    assert_eq!(logged, 30, "what was refused is no download");
    let breach = "SELECT count(*) FROM stockade.audit_entry WHERE action = 'ratelimit.breach'";
    assert!(sqlx::query_scalar::<_, i64>(breach).fetch_one(&pool).await.unwrap() > 0, "the breach is in the log");
}

#[sqlx::test(migrations = false)]
async fn a_settlement_and_its_commission_leave_their_before_and_after(pool: PgPool) {
    let app = app(&pool).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let page = accountant.get("/settlements").await.text;
    let path = page.split("href=\"/settlements/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let path = format!("/settlements/{path}");
    for (pay, commission, status) in [("-1", "1", "draft"), ("1", "101", "draft"), ("1", "1", "lost"), ("", "", "")] {
        let page = accountant.post(&path, &[("pay", pay), ("commission", commission), ("status", status)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{pay} {commission} {status}");
    }
    let change = async |browser: &mut Browser, pay: &str, commission: &str, status: &str| {
        browser.post(&path, &[("pay", pay), ("commission", commission), ("status", status)]).await.status
    };
    assert_eq!(change(&mut accountant, "1,500", "12.5", "approved").await, StatusCode::SEE_OTHER);
    assert_eq!(entries(&pool, "commission.update").await.len(), 0, "the commission is as it was");
    assert_eq!(change(&mut accountant, "1,500", "20", "approved").await, StatusCode::SEE_OTHER);
    let [(Some(before), Some(after))] = &*entries(&pool, "commission.update").await else { panic!("one entry") };
    assert_eq!((&before["commission_percent"], &after["commission_percent"]), (&"12.50".into(), &"20.00".into()));
    let [(Some(before), Some(after))] = &*entries(&pool, "settlement.update").await else { panic!("one entry") };
    assert_eq!(
        (&before["status"], &after["status"], &after["pay_cents"]),
        (&"draft".into(), &"approved".into(), &150_000.into())
    );

    assert_eq!(change(&mut accountant, "1,500", "20", "paid").await, StatusCode::SEE_OTHER);
    assert_eq!(change(&mut accountant, "9,999", "20", "draft").await, StatusCode::FORBIDDEN, "what is paid stays");
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(change(&mut viewer, "1", "1", "draft").await, StatusCode::FORBIDDEN);
    let mut other = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert_eq!(change(&mut other, "1", "1", "draft").await, StatusCode::NOT_FOUND);
}

#[sqlx::test(migrations = false)]
async fn a_bank_account_is_changed_by_an_owner_and_the_log_shows_it_masked(pool: PgPool) {
    let app = app(&pool).await;
    let driver = ACME.driver(0).to_string();
    let form = [("driver", driver.as_str()), ("account", "072000326-7788990")];
    for person in [VIEWER, ACCOUNTANT, ADMIN] {
        let mut browser = Browser::signed_in(&app, &ACME, &person).await;
        assert_eq!(browser.post("/drivers/bank-account", &form).await.status, StatusCode::FORBIDDEN, "{}", person.role);
    }
    let mut other = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert!(!other.post("/drivers/bank-account", &form).await.status.is_success());
    let before: Vec<u8> = sealed(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for wrong in ["", "1", "0720 00326", "<b>1234</b>"] {
        let page = owner.post("/drivers/bank-account", &[("driver", &driver), ("account", wrong)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
    assert_eq!(sealed(&pool).await, before);
    assert_eq!(owner.post("/drivers/bank-account", &form).await.status, StatusCode::SEE_OTHER);
    assert_ne!(sealed(&pool).await, before);
    assert!(owner.get("/drivers").await.text.contains("8990"), "the page shows its end");
    let [(Some(before), Some(after))] = &*entries(&pool, "driver.bank_account.update").await else {
        panic!("one entry")
    };
    assert_ne!(before, after);
    let log = format!("{before} {after}");
    assert!(!log.contains("4455667") && !log.contains("7788990") && log.contains("8990"), "{log}");
}

async fn sealed(pool: &PgPool) -> Vec<u8> {
    let one = "SELECT bank_account FROM freight.drivers WHERE id = $1";
    sqlx::query_scalar(one).bind(ACME.driver(0)).fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn a_switch_holds_for_its_tenant_whatever_the_role_and_is_logged(pool: PgPool) {
    let app = app(&pool).await;
    let switch = [("feature", "document-downloads"), ("position", "off")];
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(viewer.post("/administration/features", &switch).await.status, StatusCode::FORBIDDEN);
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    assert_eq!(
        admin.post("/administration/features", &[("feature", "gravity"), ("position", "off")]).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(admin.post("/administration/features", &switch).await.status, StatusCode::SEE_OTHER);
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let own = format!("/documents/{}", documents(&pool, &ACME, 0).await[0]);
    let page = owner.get(&own).await;
    assert!(page.status == StatusCode::FORBIDDEN && page.text.contains("switched off"), "{}", page.text);
    let mut other = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    let theirs = format!("/documents/{}", documents(&pool, &BRIGHT, 0).await[0]);
    assert_eq!(other.get(&theirs).await.status, StatusCode::OK);
    let [(Some(before), Some(after))] = &*entries(&pool, "feature.switch").await else { panic!("one entry") };
    assert_eq!((&before["position"], &after["position"]), (&"on".into(), &"off".into()));
    admin.post("/administration/features", &[("feature", "document-downloads"), ("position", "on")]).await;
    assert_eq!(owner.get(&own).await.status, StatusCode::OK);
}
