//! Destroying a driver's key.

use http::StatusCode;
use sample_app::seed::{ACCOUNTANT, ACME, BRIGHT, OWNER};
use sqlx::{PgPool, raw_sql};
use uuid::Uuid;

use crate::browser::{Browser, app};

const PAGE: &str = "/administration/shredding";

async fn plan(owner: &mut Browser, pool: &PgPool) -> Uuid {
    let driver = ACME.driver(0).to_string();
    let page = owner.post(PAGE, &[("driver", &driver), ("reason", "DSR-41")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    sqlx::query_scalar("SELECT shred_id FROM stockade.field_shreds WHERE state = 'scheduled'")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The week of grace passes.
async fn wait(pool: &PgPool) {
    raw_sql(
        "ALTER TABLE stockade.field_shreds DISABLE TRIGGER USER;
        UPDATE stockade.field_shreds SET requested_at = requested_at - interval '8 days', execute_after = execute_after - interval '8 days';
        ALTER TABLE stockade.field_shreds ENABLE TRIGGER USER",
    )
    .execute(pool)
    .await
    .unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_driver_is_forgotten_after_a_week_and_two_steps(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let shred = plan(&mut owner, &pool).await;
    let execute = format!("{PAGE}/{shred}/execute");
    let page = owner.get(PAGE).await.text;
    assert!(page.contains("planned") && page.matches("not before").count() == 2, "both dates: {page}");
    let early = owner.post(&execute, &[("confirmed", "yes")]).await.text;
    assert!(early.contains("until then it can be called off"), "{early}");
    assert!(!owner.get("/drivers").await.text.contains("key destroyed"));

    wait(&pool).await;
    let asked = owner.post(&execute, &[]).await.text;
    assert!(asked.contains("The key is destroyed for good."), "{asked}");
    assert!(!owner.get("/drivers").await.text.contains("key destroyed"), "one step is not enough");
    let done = owner.post(&execute, &[("confirmed", "yes")]).await.text;
    assert!(
        done.contains("It is gone from the database since") && done.contains("No backup holds it any more from"),
        "{done}"
    );

    let page = owner.get("/drivers").await.text;
    assert_eq!(page.matches("key destroyed").count(), 2, "the number and the account of one driver: {page}");
    assert!(page.contains("Lena Whitfield") && page.contains("***-**-"), "the row and the others stay: {page}");
    let found = owner.post("/drivers/find", &[("ssn", "900-12-3451")]).await.text;
    assert!(found.contains("No driver has this number."), "{found}");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM freight.drivers WHERE ssn_index IS NULL")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 1);
    let asked = owner.post(&format!("/drivers/{}/ssn", ACME.driver(0)), &[]).await;
    assert!(asked.text.contains("Nobody can read the number again."), "{}", asked.text);

    app.seal_now().await.unwrap();
    for action in ["driver.shred.schedule", "driver.shred.execute"] {
        assert!(!owner.get(&format!("/audit?action={action}")).await.text.contains("Nothing matches."), "{action}");
    }
    let posture = owner.get("/posture.json").await.text;
    assert!(posture.contains("shredded"), "{posture}");
}

#[sqlx::test(migrations = false)]
async fn a_plan_is_called_off_within_the_week(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let shred = plan(&mut owner, &pool).await;
    assert_eq!(owner.post(&format!("{PAGE}/{shred}/cancel"), &[]).await.status, StatusCode::SEE_OTHER);
    wait(&pool).await;
    let late = owner.post(&format!("{PAGE}/{shred}/execute"), &[("confirmed", "yes")]).await.text;
    assert!(late.contains("It was called off."), "{late}");
    assert!(!owner.get("/drivers").await.text.contains("key destroyed"));
    let blank = owner.post(PAGE, &[("driver", &ACME.driver(0).to_string()), ("reason", " ")]).await;
    assert_eq!(blank.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[sqlx::test(migrations = false)]
async fn neither_a_colleague_nor_another_tenant_destroys_a_key(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let shred = plan(&mut owner, &pool).await;
    wait(&pool).await;
    let (cancel, execute) = (format!("{PAGE}/{shred}/cancel"), format!("{PAGE}/{shred}/execute"));
    let confirmed = [("confirmed", "yes")];

    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    assert!(!accountant.get(PAGE).await.text.contains("Call off"));
    let driver = ACME.driver(1).to_string();
    assert_eq!(accountant.post(PAGE, &[("driver", &driver), ("reason", "x")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(accountant.post(&cancel, &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(accountant.post(&execute, &confirmed).await.status, StatusCode::FORBIDDEN);

    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert!(!stranger.get(PAGE).await.text.contains("DSR-41"));
    assert_eq!(stranger.post(PAGE, &[("driver", &driver), ("reason", "x")]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.post(&cancel, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.post(&execute, &confirmed).await.status, StatusCode::NOT_FOUND);
    assert!(!owner.get("/drivers").await.text.contains("key destroyed"));
}
