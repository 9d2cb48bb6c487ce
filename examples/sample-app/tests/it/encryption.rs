//! Sealed columns: finding by a keyed hash, coverage, and the exchange of keys.

use std::sync::Arc;

use http::StatusCode;
use sample_app::{
    app::App,
    database::{Prefix, Server},
    domain::encryption,
    limits::Counting,
    secrets::Pair,
    seed::{self, ACCOUNTANT, ACME, BRIGHT, OWNER, VIEWER},
};
use sqlx::PgPool;
use zeroize::Zeroizing;

use crate::browser::{Browser, Page, app, evidence, rand_id};

const PAGE: &str = "/administration/encryption";

async fn next(app: &App) -> String {
    encryption::status(app, ACME.id).await.unwrap().next.key()
}

async fn step(app: &App, owner: &mut Browser) -> Page {
    let next = next(app).await;
    owner.post("/administration/encryption/rotation", &[("step", &next)]).await
}

/// Time passes for the keys.
async fn wait(pool: &PgPool, time: &str) {
    sqlx::query("UPDATE stockade.field_keys SET state_since = state_since - $1::interval")
        .bind(time)
        .execute(pool)
        .await
        .unwrap();
}

async fn find(browser: &mut Browser, ssn: &str) -> Page {
    browser.post("/drivers/find", &[("ssn", ssn)]).await
}

#[sqlx::test(migrations = false)]
async fn a_driver_is_found_by_a_number_that_the_database_does_not_hold(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    for spelling in ["900-12-3451", "900123451", " 900 12 3451 "] {
        let page = find(&mut owner, spelling).await;
        assert!(page.text.contains("<strong>Lena Whitfield</strong> has this number."), "{}", page.text);
    }
    for other in ["900-12-3452", "900-12-345", "x", "-"] {
        assert!(find(&mut owner, other).await.text.contains("No driver has this number."), "{other}");
    }
    app.seal_now().await.unwrap();
    let log = owner.get("/audit").await.text;
    assert!(log.contains("driver.find") && !log.contains("900-12") && !log.contains("900123451"), "{log}");

    // Bright's driver of the same name has another number, and Acme's is not found there.
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert!(find(&mut stranger, "900-12-3451").await.text.contains("No driver has this number."));
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(find(&mut viewer, "900-12-3451").await.status, StatusCode::FORBIDDEN);
}

#[sqlx::test(migrations = false)]
async fn a_hash_that_was_moved_to_another_row_finds_nobody(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let tag: Vec<u8> = sqlx::query_scalar("UPDATE freight.drivers d SET ssn_index = NULL FROM freight.drivers o WHERE d.id = $1 AND o.id = $1 RETURNING o.ssn_index")
        .bind(ACME.driver(0))
        .fetch_one(&pool)
        .await
        .unwrap();
    sqlx::query("UPDATE freight.drivers SET ssn_index = $2 WHERE id = $1")
        .bind(ACME.driver(1))
        .bind(tag)
        .execute(&pool)
        .await
        .unwrap();
    assert!(find(&mut owner, "900-12-3451").await.text.contains("No driver has this number."));
}

#[sqlx::test(migrations = false)]
async fn a_key_is_exchanged_step_by_step_and_every_value_still_opens(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert!(step(&app, &mut owner).await.text.contains("Done."));
    assert_eq!(next(&app).await, "promote-3");
    assert!(step(&app, &mut owner).await.text.contains("Too soon"), "other processes do not know the key yet");
    wait(&pool, "1 hour").await;
    assert!(step(&app, &mut owner).await.text.contains("Done."));

    let behind = encryption::status(&app, ACME.id).await.unwrap();
    assert_eq!((behind.columns.iter().map(|column| column.older).sum::<u64>(), behind.subjects_behind), (1, 3));
    let posture = owner.get("/posture.json").await.text;
    assert!(posture.contains("values are under older keys"), "{posture}");
    let stale = owner.post("/administration/encryption/rotation", &[("step", "promote-3")]).await;
    assert!(stale.text.contains("Somebody else was faster."), "{}", stale.text);
    let done = step(&app, &mut owner).await.text;
    assert!(done.contains("1 rows are sealed anew, 0 do not open") && done.contains("3 keys of drivers"), "{done}");
    let through = encryption::status(&app, ACME.id).await.unwrap();
    assert!(through.columns.iter().all(|column| column.older == 0 && column.open == 0), "{through:?}");
    assert!(!owner.get("/posture.json").await.text.contains("values are under older keys"));

    assert_eq!(next(&app).await, "retire-1");
    assert!(step(&app, &mut owner).await.text.contains("Too soon"));
    wait(&pool, "1 hour").await;
    assert!(step(&app, &mut owner).await.text.contains("Done."));
    assert!(step(&app, &mut owner).await.text.contains("Too soon"), "a retired key stays for a week");
    wait(&pool, "8 days").await;
    assert!(step(&app, &mut owner).await.text.contains("Done."));
    assert_eq!(next(&app).await, "add");

    for page in ["/drivers", "/integrations"] {
        let page = owner.get(page).await.text;
        assert!(!page.contains("does not open") && page.contains("***"), "{page}");
    }
    app.seal_now().await.unwrap();
    for action in ["key.create", "key.promote", "key.seal_anew", "key.retire", "key.destroy", "encryption.rotate"] {
        let log = owner.get(&format!("/audit?action={action}")).await.text;
        assert!(!log.contains("Nothing matches."), "{action}");
    }
    // Another tenant's keys are its own.
    assert_eq!(encryption::status(&app, BRIGHT.id).await.unwrap().keys.len(), 2);
}

#[sqlx::test(migrations = false)]
async fn the_key_of_the_keyring_is_exchanged_and_the_old_one_leaves(pool: PgPool) {
    let server = Server::at(pool.connect_options().as_ref().clone());
    let prefix = Prefix::scratch(rand_id());
    let first = Pair::generate().unwrap();
    let fresh = Pair::generate().unwrap().field_keys.replacen("k1:", "k2:", 1);
    let pair = |keys: String| Pair {
        field_keys: Zeroizing::new(keys),
        session_key: Zeroizing::new(first.session_key.to_string()),
    };
    let start = async |pair: Pair| {
        App::start(&server, prefix.clone(), pair.parse().unwrap(), &Counting::Memory, evidence().await).await
    };
    let before = start(pair(first.field_keys.to_string())).await.unwrap();
    seed::fill(&before).await.unwrap();
    before.stop().await;
    assert!(start(pair(fresh.clone())).await.is_err(), "the old key is still needed");

    let both = Arc::new(start(pair(format!("{fresh},{}", first.field_keys.as_str()))).await.unwrap());
    let mut owner = Browser::signed_in(&both, &ACME, &OWNER).await;
    let done = owner.post("/administration/encryption/wrapping", &[]).await.text;
    assert!(done.contains("8 keys are wrapped anew, 0 do not unwrap."), "{done}");
    assert!(done.contains("<code>k1</code> wraps nothing any more"), "{done}");
    drop(owner);
    both.stop().await;

    let alone = Arc::new(start(pair(fresh)).await.unwrap());
    let mut owner = Browser::signed_in(&alone, &BRIGHT, &OWNER).await;
    let page = owner.get("/drivers").await.text;
    assert!(page.contains("***-**-") && !page.contains("does not open"), "{page}");
}

#[sqlx::test(migrations = false)]
async fn whoever_may_not_exchange_keys_sees_them_and_no_more(pool: PgPool) {
    let app = app(&pool).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let page = accountant.get(PAGE).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("freight.drivers.ssn") && !page.text.contains("<form class=\"padded\""),
        "{}",
        page.text
    );
    let add = accountant.post("/administration/encryption/rotation", &[("step", "add")]).await;
    assert_eq!(add.status, StatusCode::FORBIDDEN);
    assert_eq!(accountant.post("/administration/encryption/wrapping", &[]).await.status, StatusCode::FORBIDDEN);
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(viewer.get(PAGE).await.status, StatusCode::FORBIDDEN);
    assert_eq!(encryption::status(&app, ACME.id).await.unwrap().keys.len(), 2);
}

#[sqlx::test(migrations = false)]
async fn a_token_is_stored_sealed_and_shown_to_nobody(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let form = [("name", "Fuel cards"), ("token", "fc_secret_0123456789abcdef")];
    assert_eq!(owner.post("/integrations", &form).await.status, StatusCode::SEE_OTHER);
    let page = owner.get("/integrations").await.text;
    assert!(page.contains("Fuel cards") && !page.contains("fc_secret"), "{page}");
    app.seal_now().await.unwrap();
    let log = owner.get("/audit?action=integration.connect").await.text;
    assert!(log.contains("Fuel cards") && !log.contains("fc_secret"), "{log}");
    let plain: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM freight.integrations WHERE position('fc_secret'::bytea IN oauth_token) > 0",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(plain, 0);
    // What is not sealed is refused by the schema, whoever writes it.
    let written = sqlx::query("UPDATE freight.integrations SET oauth_token = 'fc_secret_0123456789abcdef_and_more'");
    assert!(written.execute(&pool).await.is_err());

    assert_eq!(
        owner.post("/integrations", &[("name", ""), ("token", "x")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(viewer.post("/integrations", &form).await.status, StatusCode::FORBIDDEN);
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert!(!stranger.get("/integrations").await.text.contains("Fuel cards"));
}
