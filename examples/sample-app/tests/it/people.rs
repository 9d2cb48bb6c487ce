//! People: what administrators may give and take, over the pages, and what they may not.

use http::StatusCode;
use sample_app::seed::{
    ACCOUNTANT, ACME, ADMIN, BRIGHT, DISPATCHER, FAR_DISPATCHER, GUEST, MANAGER, OWNER, Person, VIEWER,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::browser::{Browser, Page, app};

fn page_of(person: &Person) -> String {
    format!("/administration/people/{}", ACME.person(person))
}

async fn give(browser: &mut Browser, person: &Person, role: &str) -> Page {
    let form = [("role", role), ("reason", "a test"), ("until", "")];
    browser.post(&format!("{}/roles", page_of(person)), &form).await
}

async fn take(browser: &mut Browser, person: &Person, role: &str) -> Page {
    browser.post(&format!("{}/roles/revoke", page_of(person)), &[("role", role), ("reason", "a test")]).await
}

async fn roles(pool: &PgPool, person: &Person) -> Vec<String> {
    let held = "SELECT role FROM stockade.rbac_role_assignment WHERE tenant_id = $1 AND user_id = $2 ORDER BY 1";
    sqlx::query_scalar(held).bind(ACME.id).bind(ACME.person(person)).fetch_all(pool).await.unwrap()
}

async fn entries(pool: &PgPool, action: &str, outcome: &str) -> i64 {
    let count = "SELECT count(*) FROM stockade.audit_entry WHERE tenant_id = $1 AND action = $2 AND outcome = $3 AND actor_id <> 'sample-app'";
    sqlx::query_scalar(count).bind(ACME.id).bind(action).bind(outcome).fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn roles_are_given_and_taken_and_hold_with_the_next_request(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let mut guest = Browser::signed_in(&app, &ACME, &GUEST).await;
    assert_eq!(guest.get("/loads").await.status, StatusCode::FORBIDDEN);
    assert_eq!(give(&mut admin, &GUEST, "viewer").await.status, StatusCode::SEE_OTHER);
    assert_eq!(guest.get("/loads").await.status, StatusCode::OK);
    assert!(admin.get("/administration/people").await.text.contains("Gus Weller"));
    assert!(admin.get(&page_of(&GUEST)).await.text.contains("a test"));
    assert_eq!(take(&mut admin, &GUEST, "viewer").await.status, StatusCode::SEE_OTHER);
    assert_eq!(guest.get("/loads").await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        (entries(&pool, "role.assign", "success").await, entries(&pool, "role.revoke", "success").await),
        (1, 1)
    );
    let nobody = admin
        .post(
            "/administration/people/00000000-0000-0000-0000-0000000000ff/roles",
            &[("role", "viewer"), ("reason", "x")],
        )
        .await;
    assert_eq!(nobody.status, StatusCode::FORBIDDEN);
    // Another tenant's person is nobody here.
    let stranger = format!("/administration/people/{}/suspend", BRIGHT.person(&VIEWER));
    assert_eq!(admin.post(&stranger, &[("reason", "x")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        admin.get(&format!("/administration/people/{}", BRIGHT.person(&VIEWER))).await.status,
        StatusCode::NOT_FOUND
    );
}

/// Each refusal is a sentence, changes nothing and is in the log.
#[sqlx::test(migrations = false)]
async fn what_must_not_be_given_or_taken_is_refused_in_a_sentence(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let refused = |page: Page, words: &str| {
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{words}: {}", page.text);
        assert!(page.text.contains(words), "{words}: {}", page.text);
    };
    refused(take(&mut owner, &OWNER, "owner").await, "The last owner cannot go.");
    let gone = owner.post(&format!("{}/remove", page_of(&OWNER)), &[("reason", "leaves")]).await;
    refused(gone, "The last owner cannot go.");
    refused(give(&mut admin, &ADMIN, "accountant").await, "Nobody changes what they may do themselves");
    refused(give(&mut admin, &GUEST, "accountant").await, "That is more than you have: `ledger.post`");
    refused(give(&mut admin, &GUEST, "owner").await, "Only an owner changes who is an owner.");
    refused(give(&mut admin, &GUEST, "support").await, "Only the platform says who its staff is.");
    refused(give(&mut owner, &GUEST, "support").await, "Only the platform says who its staff is.");
    refused(give(&mut owner, &GUEST, "desk").await, "There is no such role to give.");
    let above = admin.post(&format!("{}/suspend", page_of(&ACCOUNTANT)), &[("reason", "a quarrel")]).await;
    refused(above, "This person is above you: they may `ledger.post`");
    let owner_out = admin.post(&format!("{}/remove", page_of(&OWNER)), &[("reason", "a coup")]).await;
    refused(owner_out, "Only an owner changes who is an owner.");
    refused(
        admin.post(&format!("{}/place", page_of(&ADMIN)), &[("office", ""), ("team", "")]).await,
        "Nobody changes what they may do themselves",
    );
    refused(give(&mut admin, &DISPATCHER, "dispatcher").await, "The person has this already.");
    let silent = admin.post(&format!("{}/suspend", page_of(&VIEWER)), &[("reason", "  ")]).await;
    refused(silent, "Give a reason");
    assert_eq!(roles(&pool, &GUEST).await, ["guest"]);
    assert_eq!(roles(&pool, &OWNER).await, ["owner"]);
    assert_eq!(entries(&pool, "role.assign", "denied").await, 7);
    assert_eq!(entries(&pool, "role.assign", "success").await, 0);

    // With two owners one may go.
    assert_eq!(give(&mut owner, &ADMIN, "owner").await.status, StatusCode::SEE_OTHER);
    assert_eq!(take(&mut owner, &OWNER, "owner").await.status, StatusCode::SEE_OTHER);
}

/// Two owners put each other out at once: one of them stays.
#[sqlx::test(migrations = false)]
async fn of_two_owners_who_put_each_other_out_one_stays(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(give(&mut owner, &ADMIN, "owner").await.status, StatusCode::SEE_OTHER);
    let mut other = Browser::signed_in(&app, &ACME, &ADMIN).await;
    // What asks for a second factor is more than a session without one has: both sides give up their own role instead.
    let (one, two) = tokio::join!(take(&mut owner, &OWNER, "owner"), take(&mut other, &ADMIN, "owner"));
    let gone = [&one, &two].into_iter().filter(|page| page.status == StatusCode::SEE_OTHER).count();
    assert_eq!(gone, 1, "{}\n{}", one.text, two.text);
    let owners: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM stockade.rbac_role_assignment WHERE tenant_id = $1 AND role = 'owner'",
    )
    .bind(ACME.id)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(owners, 1);
}

#[sqlx::test(migrations = false)]
async fn an_exception_allows_until_a_day_and_a_denial_wins(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let mut guest = Browser::signed_in(&app, &ACME, &GUEST).await;
    let overrides = format!("{}/overrides", page_of(&GUEST));
    let tomorrow = (chrono::Utc::now().date_naive() + chrono::Days::new(1)).to_string();
    let allow = |until: &str| {
        [
            ("permission", "load.view".to_owned()),
            ("effect", "tenant".to_owned()),
            ("reason", "covers for Dan".to_owned()),
            ("until", until.to_owned()),
        ]
    };
    let send = async |browser: &mut Browser, form: [(&str, String); 4]| {
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(&overrides, &form).await
    };
    assert_eq!(send(&mut admin, allow("")).await.status, StatusCode::FORBIDDEN, "an allow without an end");
    assert_eq!(send(&mut admin, allow("2020-01-01")).await.status, StatusCode::FORBIDDEN, "an end that is over");
    assert_eq!(send(&mut admin, allow(&tomorrow)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(guest.get("/loads").await.status, StatusCode::OK);
    assert!(admin.get(&page_of(&GUEST)).await.text.contains(&format!("until {tomorrow}:")), "the day that was entered");
    // The day passes.
    let pass = "UPDATE stockade.rbac_override SET granted_at = now() - interval '3 days', expires_at = now() - interval '1 second' WHERE user_id = $1";
    sqlx::query(pass).bind(ACME.person(&GUEST)).execute(&pool).await.unwrap();
    assert_eq!(guest.get("/loads").await.status, StatusCode::FORBIDDEN);

    let deny = [("permission", "load.view"), ("effect", "deny"), ("reason", "a conflict of interest"), ("until", "")];
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let path = page_of(&VIEWER);
    assert_eq!(admin.post(&format!("{path}/overrides"), &deny).await.status, StatusCode::SEE_OTHER);
    assert_eq!(viewer.get("/loads").await.status, StatusCode::FORBIDDEN);
    let lift = [("permission", "load.view"), ("effect", "deny"), ("reason", "it is settled")];
    assert_eq!(admin.post(&format!("{path}/overrides/lift"), &lift).await.status, StatusCode::SEE_OTHER);
    assert_eq!(viewer.get("/loads").await.status, StatusCode::OK);
    let more = [("permission", "ledger.close"), ("effect", "tenant"), ("reason", "x"), ("until", tomorrow.as_str())];
    let refused = admin.post(&overrides, &more).await;
    assert!(refused.status == StatusCode::FORBIDDEN && refused.text.contains("more than you have"), "{}", refused.text);
}

#[sqlx::test(migrations = false)]
async fn a_suspended_person_comes_back_with_what_they_had(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    let path = page_of(&VIEWER);
    assert_eq!(admin.post(&format!("{path}/suspend"), &[("reason", "on leave")]).await.status, StatusCode::SEE_OTHER);
    assert!(viewer.get("/loads").await.text.contains("You are suspended"));
    assert_eq!(admin.post(&format!("{path}/reinstate"), &[("reason", "is back")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(viewer.get("/loads").await.status, StatusCode::OK);
    let office = ACME.office(1).to_string();
    let moved = admin.post(&format!("{path}/place"), &[("office", &office), ("team", "")]).await;
    assert_eq!(moved.status, StatusCode::SEE_OTHER);
    assert!(admin.get("/administration/people").await.text.contains("Reno"));
    assert_eq!(entries(&pool, "member.move", "success").await, 1);
}

fn token(page: &Page) -> String {
    let after =
        page.text.split("/invitations/accept?token=").nth(1).unwrap_or_else(|| panic!("no link: {}", page.text));
    after.split('<').next().unwrap().trim().to_owned()
}

#[sqlx::test(migrations = false)]
async fn an_invitation_opens_once_for_its_address_and_never_above_the_inviter(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let invite =
        |role: &'static str| [("email", "New.Person@acme.test"), ("role", role), ("reason", "joins on Monday")];
    let above = admin.post("/administration/people/invitations", &invite("accountant")).await;
    assert!(above.status == StatusCode::FORBIDDEN && above.text.contains("more than you have"), "{}", above.text);
    let page = admin.post("/administration/people/invitations", &invite("viewer")).await;
    let link = token(&page);
    assert!(!admin.get("/administration/people").await.text.contains(&link), "shown once");

    let come = |token: &str, email: &'static str| {
        [
            ("token", token.to_owned()),
            ("email", email.to_owned()),
            ("name", "New Person".to_owned()),
            ("password", "a long enough password".to_owned()),
        ]
    };
    let send = async |form: [(&str, String); 4]| {
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Browser::new(&app).post("/invitations/accept", &form).await
    };
    assert_eq!(Browser::new(&app).get(&format!("/invitations/accept?token={link}")).await.status, StatusCode::OK);
    assert_eq!(send(come(&link, "somebody.else@acme.test")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send(come("made up", "new.person@acme.test")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (one, two) = tokio::join!(send(come(&link, "new.person@acme.test")), send(come(&link, "new.person@acme.test")));
    let came = [&one, &two].into_iter().filter(|page| page.status == StatusCode::SEE_OTHER).count();
    assert_eq!(came, 1, "{}\n{}", one.text, two.text);
    let mut newcomer = Browser::new(&app);
    let form = [("email", "new.person@acme.test"), ("password", "a long enough password")];
    assert_eq!(newcomer.post("/sign-in", &form).await.location.as_deref(), Some("/loads"));
    assert_eq!(newcomer.get("/loads").await.status, StatusCode::OK);
    assert_eq!(entries(&pool, "invitation.accept", "success").await, 1);

    // Whoever invited and may no longer give the role has invited nobody.
    let page = admin
        .post("/administration/people/invitations", &[("email", "late@acme.test"), ("role", "viewer"), ("reason", "x")])
        .await;
    let link = token(&page);
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    assert_eq!(take(&mut owner, &ADMIN, "admin").await.status, StatusCode::SEE_OTHER);
    let late = send(come(&link, "late@acme.test")).await;
    assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", late.text);
}

#[sqlx::test(migrations = false)]
async fn a_withdrawn_invitation_opens_nothing(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    let form = [("email", "new@acme.test"), ("role", "viewer"), ("reason", "x")];
    let link = token(&admin.post("/administration/people/invitations", &form).await);
    let id: Uuid =
        sqlx::query_scalar("SELECT invitation_id FROM stockade.rbac_invitation").fetch_one(&pool).await.unwrap();
    let withdraw = format!("/administration/people/invitations/{id}/withdraw");
    let mut stranger = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    assert_eq!(stranger.post(&withdraw, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.post(&withdraw, &[]).await.status, StatusCode::SEE_OTHER);
    let come =
        [("token", link.as_str()), ("email", "new@acme.test"), ("name", "N"), ("password", "a long enough password")];
    let page = Browser::new(&app).post("/invitations/accept", &come).await;
    assert!(page.text.contains("The invitation was withdrawn."), "{}", page.text);
}

#[sqlx::test(migrations = false)]
async fn a_manager_shares_what_the_office_has_and_nothing_else(pool: PgPool) {
    let app = app(&pool).await;
    let (near, far) = (ACME.account(0), ACME.account(3));
    let mut manager = Browser::signed_in(&app, &ACME, &MANAGER).await;
    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    let with = format!("office:{}", ACME.office(0));
    let form = [("with", with.as_str()), ("level", "view"), ("reason", "both quote for it"), ("until", "")];
    assert!(!dispatcher.get("/accounts").await.text.contains("Juniper Home"));
    assert_eq!(manager.post(&format!("/accounts/{far}/shares"), &form).await.status, StatusCode::SEE_OTHER);
    assert!(dispatcher.get("/accounts").await.text.contains("Juniper Home"));
    assert_eq!(
        manager.post(&format!("/accounts/{near}/shares"), &form).await.status,
        StatusCode::NOT_FOUND,
        "not the office's"
    );
    assert_eq!(
        dispatcher.post(&format!("/accounts/{far}/shares"), &form).await.status,
        StatusCode::FORBIDDEN,
        "no permission to share"
    );
    let past = [("with", with.as_str()), ("level", "view"), ("reason", "x"), ("until", "2020-01-01")];
    assert_eq!(manager.post(&format!("/accounts/{far}/shares"), &past).await.status, StatusCode::FORBIDDEN);
    let share: Uuid = sqlx::query_scalar("SELECT share_id FROM stockade.rbac_share WHERE row_id = $1")
        .bind(far)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(manager.post(&format!("/accounts/{far}/shares/{share}/end"), &[]).await.status, StatusCode::SEE_OTHER);
    assert!(!dispatcher.get("/accounts").await.text.contains("Juniper Home"));
    assert_eq!((entries(&pool, "share.add", "success").await, entries(&pool, "share.end", "success").await), (1, 1));

    let load = crate::browser::loads(&pool, &ACME)
        .await
        .into_iter()
        .find(|load| load.owner_id == ACME.person(&FAR_DISPATCHER))
        .unwrap();
    let tomorrow = (chrono::Utc::now().date_naive() + chrono::Days::new(1)).to_string();
    let with = format!("user:{}", ACME.person(&DISPATCHER));
    let form = [("with", with.as_str()), ("level", "edit"), ("reason", "covers"), ("until", tomorrow.as_str())];
    assert_eq!(manager.post(&format!("/loads/{}/shares", load.id), &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        dispatcher.post(&format!("/loads/{}", load.id), &[("rate", "5"), ("status", "booked")]).await.status,
        StatusCode::SEE_OTHER
    );
}

#[sqlx::test(migrations = false)]
async fn the_matrix_and_the_review_are_files_that_say_who_may_what(pool: PgPool) {
    let app = app(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.get("/roles?permission=ledger.post").await;
    for words in ["Who can?", "Amy Lindqvist", "Ana Ruiz", "at tenant"] {
        assert!(page.text.contains(words), "{words}");
    }
    assert!(!page.text.contains("Dan Osei"));
    assert!(owner.get("/roles.csv").await.text.starts_with("role,"), "{}", owner.get("/roles.csv").await.text);
    assert!(owner.get("/roles.md").await.text.starts_with("| role |"));
    let json: serde_json::Value = serde_json::from_str(&owner.get("/roles.json").await.text).unwrap();
    assert!(json.to_string().contains("ledger.post"));
    let review = owner.get("/roles/review.json").await.text;
    assert!(stockade::rbac::AccessReview::is_intact(&review), "{review}");
    assert!(!stockade::rbac::AccessReview::is_intact(&review.replace("viewer", "owner")));
    assert!(owner.get("/roles/review.csv").await.text.contains("accountant"));
    assert_eq!(entries(&pool, "access.review", "success").await, 2);
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    assert_eq!(admin.get("/roles/review.csv").await.status, StatusCode::FORBIDDEN);
    let mut dispatcher = Browser::signed_in(&app, &ACME, &DISPATCHER).await;
    assert!(!dispatcher.get("/roles?permission=ledger.post").await.text.contains("Who can?"), "not for everybody");
}
