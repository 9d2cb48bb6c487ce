//! Signing in and out through a browser.

use http::StatusCode;
use stockade_session::{NewAccount, SessionToken, Step, Store};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::browser::*;
use crate::support::*;

crate::on_every_store! {
    a_token_from_before_the_sign_in_is_worth_nothing_after_it
    a_rotation_reaches_the_browser
    nobody_ends_the_session_of_another_user_or_tenant
    signing_out_wins_over_what_runs_beside_it
    an_ended_sign_in_is_removed_from_the_browser
}

/// Session fixation: whoever knows the token that a browser had before has nothing of the sign-in.
async fn a_token_from_before_the_sign_in_is_worth_nothing_after_it<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let router = app(&desk.auth);
    let planted = Browser::signed_in(&router).await.session();
    let mut thief = Browser::new(&router).with(SESSION, &planted);
    let mut victim = Browser::new(&router).with(SESSION, &planted);

    // The control: a session issued without the visit leaves the other one alive.
    let Step::Done(flow) = desk.password(ANA, PASSWORD).await else { panic!("refused") };
    desk.auth.issue(flow).await.unwrap();
    assert_eq!(thief.get("/me").await.status, StatusCode::OK);

    assert_eq!(victim.sign_in(ANA).await.status, StatusCode::OK);
    assert_ne!(victim.session(), planted);
    assert_eq!(victim.get("/me").await.status, StatusCode::OK);
    assert_eq!(thief.get("/me").await.status, StatusCode::UNAUTHORIZED);
}

async fn a_rotation_reaches_the_browser<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let mut browser = Browser::signed_in(&app(&desk.auth)).await;
    let old = browser.session();
    assert_eq!(browser.post("/rotate", &[]).await.status, StatusCode::OK);
    assert_ne!(browser.session(), old);
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
    let late = browser.with(SESSION, &old).get("/me").await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert!(late.headers.get("set-cookie").is_none(), "a request that came late must not take the new cookie away");
}

async fn nobody_ends_the_session_of_another_user_or_tenant<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let colleague = NewAccount { user: Uuid::from_u128(0xC).into(), tenant: tenant(), identifier: "cy" };
    let stranger =
        NewAccount { user: Uuid::from_u128(0xB).into(), tenant: Uuid::from_u128(0xB0).into(), identifier: "bo" };
    for account in [colleague, stranger] {
        desk.auth.accounts().create(account, PASSWORD.into()).await.unwrap();
    }
    let router = app(&desk.auth);
    let mut ana = Browser::signed_in(&router).await;
    let second = Browser::signed_in(&router).await.session();
    for account in [colleague, stranger] {
        let mut other = Browser::new(&router);
        other.sign_in(account.identifier).await;
        let sid = desk.auth.sessions(account.user).await.unwrap()[0].sid;
        assert_eq!(ana.post(&format!("/revoke/{sid}"), &[]).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(other.get("/me").await.text, account.user.to_string(), "the cookie says who it is");
        // The control: the session would end, asked for without the visit.
        desk.auth.revoke(sid).await.unwrap();
        assert_eq!(other.get("/me").await.status, StatusCode::UNAUTHORIZED);
    }
    let token: SessionToken = second.parse().unwrap();
    let sid = desk.auth.resolve(&token).await.unwrap().unwrap().sid;
    let mut signed_out = Browser::new(&router);
    assert_eq!(signed_out.post(&format!("/revoke/{sid}"), &[]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.post(&format!("/revoke/{sid}"), &[]).await.status, StatusCode::OK);
    assert_eq!(ana.with(SESSION, &second).get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.get("/me").await.status, StatusCode::OK);
}

/// Pages, rotations and a sign-out of one browser at the same time. Where the sign-out found the session, no cookie that came back opens
/// anything, and nothing is left in the store.
async fn signing_out_wins_over_what_runs_beside_it<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await;
    let router = app(&desk.auth);
    let mut ended = 0;
    for round in 0..30 {
        let browser = Browser::signed_in(&router).await;
        let mut tasks = JoinSet::new();
        for path in ["/rotate", "/me", "/sign-out", "/rotate"].into_iter().cycle().skip(round % 4).take(4) {
            let mut browser = browser.clone();
            tasks.spawn(async move {
                // A rotation asks nothing first, so it would always be in front of a sign-out that does.
                if path == "/rotate" && round % 2 == 1 {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                let page = browser.post(path, &[]).await;
                assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&page.status), "{path} {page:?}");
                (path == "/sign-out" && page.text == "true", browser)
            });
        }
        let outcomes = tasks.join_all().await;
        if outcomes.iter().any(|(signed_out, _)| *signed_out) {
            ended += 1;
            assert!(desk.auth.sessions(user()).await.unwrap().is_empty());
            for (_, mut browser) in outcomes {
                assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED);
            }
        }
        desk.auth.revoke_all(user()).await.unwrap();
    }
    assert!(ended > 0, "no sign-out was ever in time");
}

async fn an_ended_sign_in_is_removed_from_the_browser<S: Store>(store: S) {
    let desk = Desk::with_ana(store).await.add_totp().await;
    let mut browser = Browser::new(&app(&desk.auth));
    browser.sign_in(ANA).await;
    assert!(browser.cookies.contains_key(PENDING));
    desk.auth.revoke_all(user()).await.unwrap();
    assert_eq!(browser.post("/code", &[("code", &desk.code(0))]).await.status, StatusCode::UNAUTHORIZED);
    assert!(browser.cookies.is_empty());
}
