//! The ways that people are shown.

use std::collections::BTreeSet;

use http::StatusCode;
use sample_app::seed::{ACME, GUEST, OWNER, PLATFORM, SUPPORT, VIEWER};
use sqlx::PgPool;

use crate::browser::{Browser, app};

/// Where the navigation and the tabs of a page lead.
fn ways(page: &str) -> BTreeSet<String> {
    let navigations = page.split("<nav").skip(1).filter_map(|rest| rest.split("</nav>").next());
    let links = navigations.flat_map(|navigation| navigation.split("href=\"").skip(1));
    links.filter_map(|link| link.split('"').next()).map(str::to_owned).collect()
}

/// Everything that can be reached by following them.
async fn reached(browser: &mut Browser) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec!["/account/sessions".to_owned()];
    while let Some(path) = next.pop() {
        if reached.insert(path.clone()) {
            let page = browser.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{path} is offered and refused");
            next.extend(ways(&page.text));
        }
    }
    reached
}

#[sqlx::test(migrations = false)]
async fn nobody_is_shown_the_way_to_a_page_that_refuses_them(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = BTreeSet::new();
    for person in ACME.people() {
        let mut browser = Browser::signed_in(&app, &ACME, person).await;
        let reached = reached(&mut browser).await;
        if person.login == VIEWER.login {
            assert_eq!(browser.get("/audit").await.status, StatusCode::FORBIDDEN);
            assert!(reached.contains("/loads") && !reached.contains("/audit"), "{reached:?}");
        }
        if person.login == OWNER.login {
            owner = reached;
        }
    }
    for page in ["/loads", "/audit", "/limits", "/administration", "/administration/tampering"] {
        assert!(owner.contains(page), "{page} is missing among {owner:?}");
    }
}

#[sqlx::test(migrations = false)]
async fn whoever_may_open_no_page_of_a_desk_finds_their_account_and_the_way_out(pool: PgPool) {
    let app = app(&pool).await;
    let mut guest = Browser::signed_in(&app, &ACME, &GUEST).await;
    let refused = guest.get("/loads").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("href=\"/account/sessions\"") && refused.text.contains("action=\"/sign-out\""));

    let mut support = Browser::new(&app);
    let email = PLATFORM.email(&SUPPORT);
    support.post("/sign-in", &[("email", &email), ("password", sample_app::seed::PASSWORD)]).await;
    support.post("/sign-in/code", &[("code", &sample_app::seed::current_code(&SUPPORT).unwrap())]).await;
    assert_eq!(support.get("/loads").await.location.as_deref(), Some("/staff"));
    let reached = reached(&mut support).await;
    assert!(reached.contains("/staff") && reached.contains("/administration/outbox"), "{reached:?}");
    assert!(!reached.contains("/loads"), "{reached:?}");
}
