//! The platform's support: looks with a reason, changes nothing, and the tenant knows.

use http::StatusCode;
use sample_app::{
    seed::{self, ACCOUNTANT, ACME, BRIGHT, DISPATCHER, OWNER, PLATFORM, SUPPORT, VIEWER},
    web::{self, Guard},
};
use sqlx::PgPool;

use crate::browser::{Browser, app};

pub(crate) async fn support(app: &std::sync::Arc<sample_app::app::App>) -> Browser {
    let mut browser = Browser::new(app);
    browser.post("/sign-in", &[("email", &PLATFORM.email(&SUPPORT)), ("password", seed::PASSWORD)]).await;
    let page = browser.post("/sign-in/code", &[("code", &seed::current_code(&SUPPORT).unwrap())]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    browser
}

pub(crate) async fn look(browser: &mut Browser, email: &str, reason: &str) -> crate::browser::Page {
    browser.post("/staff/look", &[("email", email), ("reason", reason), ("minutes", "15")]).await
}

#[sqlx::test(migrations = false)]
async fn support_sees_what_the_person_sees_under_a_banner_and_the_tenant_sees_support(pool: PgPool) {
    let app = app(&pool).await;
    let mut staff = support(&app).await;
    assert_eq!(staff.get("/loads").await.location.as_deref(), Some("/staff"), "staff has no desk of its own");
    assert_eq!(look(&mut staff, "dan@acme.test", "  ").await.status, StatusCode::OK, "no reason, no look");
    assert_eq!(look(&mut staff, &ACME.email(&DISPATCHER), "ticket 4711").await.location.as_deref(), Some("/"));

    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let own = dispatcher.get("/loads").await.text;
    let seen = staff.get("/loads").await;
    for load in crate::browser::loads(&pool, &ACME).await {
        assert_eq!(seen.text.contains(&load.reference), own.contains(&load.reference), "{}", load.reference);
    }
    for path in ["/loads", "/accounts", "/drivers", "/ledger", "/integrations", "/isolation", "/roles"] {
        let page = staff.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for words in ["Sam Abara looks as Dan Osei", "ticket 4711", "End the look"] {
            assert!(page.text.contains(words), "{path}: {words}");
        }
    }
    assert!(!own.contains("Sam Abara"), "the person's own pages have no banner");
    assert_eq!(staff.get("/audit").await.status, StatusCode::FORBIDDEN, "no more than the person");

    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.get("/administration/impersonations").await;
    for words in ["Sam Abara", "Dan Osei", "ticket 4711", "under way"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert_eq!(staff.post("/staff/end", &[]).await.location.as_deref(), Some("/staff"));
    assert_eq!(staff.get("/loads").await.location.as_deref(), Some("/staff"));
    app.seal_now().await.unwrap();
    let entries: Vec<(String, Option<String>, Option<String>, i64)> = sqlx::query_as(
        "SELECT action, min(actor_id), min(endpoint), count(*) FROM stockade.audit_entry
         WHERE tenant_id = $1 AND action LIKE 'impersonation.%' GROUP BY 1 ORDER BY 1",
    )
    .bind(ACME.id)
    .fetch_all(&pool)
    .await
    .unwrap();
    let counts: Vec<(&str, i64)> = entries.iter().map(|(action, .., count)| (action.as_str(), *count)).collect();
    assert_eq!(counts, [("impersonation.end", 1), ("impersonation.look", 10), ("impersonation.start", 1)]);
    let id = PLATFORM.person(&SUPPORT).to_string();
    assert!(
        entries.iter().all(|(action, actor, ..)| action == "impersonation.end" || actor.as_deref() == Some(&id)),
        "{entries:?}"
    );
}

/// Every route that changes something refuses a look, whatever the person may do who is looked at; and so does the database.
#[sqlx::test(migrations = false)]
async fn a_look_changes_nothing_anywhere(pool: PgPool) {
    let app = app(&pool).await;
    let mut staff = support(&app).await;
    assert_eq!(look(&mut staff, &ACME.email(&OWNER), "ticket 1").await.location.as_deref(), Some("/"));
    let fingerprint = "SELECT (SELECT sum(hashtext(l::text)) FROM freight.loads l) || ' ' || (SELECT count(*) FROM freight.gl_posting)
        || ' ' || (SELECT sum(hashtext(a::text)) FROM stockade.rbac_role_assignment a) || ' ' || (SELECT count(*) FROM stockade.rbac_invitation)
        || ' ' || (SELECT count(*) FROM stockade.rbac_share)";
    let before: String = sqlx::query_scalar(fingerprint).fetch_one(&pool).await.unwrap();
    let load = crate::browser::loads(&pool, &ACME).await.remove(0).id.to_string();
    for route in
        web::routes().into_iter().filter(|route| route.method == http::Method::POST && route.path != "/staff/end")
    {
        if matches!(route.guard, Guard::Public(_)) {
            continue;
        }
        let path = route.path.replace("{id}", &load).replace("{share}", &load);
        let form = [
            ("rate", "1"),
            ("status", "booked"),
            ("role", "guest"),
            ("reason", "x"),
            ("email", "x@x.test"),
            ("policy", "refused"),
        ];
        let page = staff.post(&path, &form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text);
    }
    let after: String = sqlx::query_scalar(fingerprint).fetch_one(&pool).await.unwrap();
    assert_eq!(before, after);
    for export in ["/audit.csv", "/audit.bundle", "/roles/review.csv"] {
        assert_eq!(staff.get(export).await.status, StatusCode::FORBIDDEN, "{export} leaves an entry, so it is no look");
    }
}

#[sqlx::test(migrations = false)]
async fn a_tenant_refuses_looks_and_one_under_way_ends(pool: PgPool) {
    let app = app(&pool).await;
    let mut staff = support(&app).await;
    assert_eq!(look(&mut staff, &ACME.email(&VIEWER), "ticket 2").await.location.as_deref(), Some("/"));
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let refuse = [("policy", "refused")];
    assert_eq!(accountant.post("/administration/impersonations", &refuse).await.status, StatusCode::FORBIDDEN);
    assert_eq!(staff.get("/loads").await.status, StatusCode::OK);
    assert_eq!(owner.post("/administration/impersonations", &refuse).await.status, StatusCode::SEE_OTHER);
    assert_eq!(staff.get("/loads").await.location.as_deref(), Some("/staff"), "it is over");
    let page = look(&mut staff, &ACME.email(&VIEWER), "ticket 2").await;
    assert!(page.text.contains("the tenant does not allow impersonation"), "{}", page.text);
    assert_eq!(
        look(&mut staff, &BRIGHT.email(&VIEWER), "ticket 3").await.location.as_deref(),
        Some("/"),
        "another one may"
    );
}

/// Nobody but staff looks, staff is not looked at, and a look that lost its person shows nothing.
#[sqlx::test(migrations = false)]
async fn only_staff_looks_and_a_look_ends_with_the_right_to_it(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(look(&mut owner, &ACME.email(&VIEWER), "curious").await.status, StatusCode::FORBIDDEN);
    let mut staff = support(&app).await;
    let oneself = look(&mut staff, &PLATFORM.email(&SUPPORT), "curious").await;
    assert!(oneself.location.is_none(), "{:?}", oneself.location);
    assert!(look(&mut staff, "nobody@acme.test", "x").await.text.contains("There is no such account."));
    assert_eq!(look(&mut staff, &ACME.email(&VIEWER), "ticket 5").await.location.as_deref(), Some("/"));
    assert_eq!(staff.get("/loads").await.status, StatusCode::OK);
    // The cookie alone is worth nothing without the session that it was made for.
    let mut thief = staff.clone_cookies(&app);
    thief.drop_cookie("__Host-session");
    assert_eq!(thief.get("/loads").await.location.as_deref(), Some("/sign-in"));
    sqlx::query("DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1 AND role = 'support'")
        .bind(PLATFORM.person(&SUPPORT))
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(staff.get("/loads").await.status, StatusCode::FORBIDDEN, "no longer staff");
}
