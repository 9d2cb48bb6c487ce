//! The example `login`, as somebody would use it.

use chrono::TimeDelta;
use http::StatusCode;
use stockade_session::{Clock, MemoryStore, NewAccount, UserId};
use uuid::Uuid;

use super::browser::*;
use crate::support::*;

#[expect(dead_code, reason = "its `main` serves it")]
#[path = "../../../examples/login.rs"]
mod login;

#[test]
fn the_example_has_less_than_eighty_lines() {
    assert!(include_str!("../../../examples/login.rs").lines().count() < 80);
}

#[tokio::test]
async fn the_example_does_what_it_says() {
    let desk = Desk::new(MemoryStore::default());
    let router = login::router(desk.auth.clone());
    let mut browser = Browser::new(&router);
    let person = [("name", "eva@example.test"), ("password", "a long enough one")];

    let new = NewAccount {
        user: UserId::from(Uuid::now_v7()),
        tenant: Uuid::now_v7().into(),
        identifier: "eva@example.test",
    };
    desk.auth.accounts().create(new, person[1].1.into()).await.unwrap();

    browser.post("/sign-in", &[("name", "eva@example.test"), ("password", "a wrong one")]).await;
    assert!(browser.get("/").await.text.contains("/sign-in"));
    assert_eq!(browser.post("/factor", &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.post("/sign-in", &person).await.status, StatusCode::SEE_OTHER);
    assert!(browser.get("/").await.text.contains("<p>Password</p>"));

    let page = browser.post("/factor", &[]).await.text;
    assert!(page.contains("<svg ") && page.contains("viewBox="), "{page}");
    let base32 = page.rsplit_once("<p>").unwrap().1.split_once("</p>").unwrap().0.to_owned();
    let seed = totp_rs::Secret::try_from_base32(&base32).unwrap();
    let code = |offset| code_at(seed.as_bytes(), desk.clock.now() + TimeDelta::seconds(offset));
    browser.post("/confirm", &[("code", &code(0))]).await;
    assert!(browser.get("/").await.text.contains("/sign-in"), "every session has ended");

    browser.post("/sign-in", &person).await;
    assert!(browser.get("/").await.text.contains("/code"));
    browser.post("/code", &[("code", &code(0))]).await;
    assert!(browser.get("/").await.text.contains("/code"), "a used code");
    browser.post("/code", &[("code", &code(30))]).await;
    assert!(browser.get("/").await.text.contains("<p>PasswordAndTotp</p>"));

    desk.advance(TimeDelta::seconds(60));
    let mut other = Browser::new(&router);
    other.post("/sign-in", &person).await;
    other.post("/code", &[("code", &code(0))]).await;
    let page = browser.get("/").await.text;
    let revokes: Vec<_> = page.split("action=\"").filter(|part| part.starts_with("/revoke/")).collect();
    assert_eq!(revokes.len(), 2);
    let newest = revokes[0].split('"').next().unwrap();
    assert_eq!(browser.post(newest, &[]).await.status, StatusCode::SEE_OTHER);
    assert!(other.get("/").await.text.contains("/sign-in"));
    assert!(browser.get("/").await.text.contains("<p>PasswordAndTotp</p>"));
    browser.post("/sign-out", &[]).await;
    assert!(browser.get("/").await.text.contains("/sign-in"));
}
