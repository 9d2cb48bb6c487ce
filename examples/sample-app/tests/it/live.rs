//! Pages that go on by themselves: what reaches them, what does not, and when they end.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use sample_app::{
    app::App,
    live::SEATS_OF_A_PERSON,
    seed::{ACCOUNTANT, ACME, BRIGHT, OWNER, Tenant, VIEWER},
    web,
};
use sqlx::PgPool;
use stockade::audit_chain::{Actor, Entry};
use tokio::{net::TcpListener, sync::oneshot};

use crate::browser::{Browser, app};

/// Against a test that would hang for ever: nothing here is a claim about time.
const PATIENCE: Duration = Duration::from_secs(60);

struct Stream {
    body: Body,
    text: String,
}

#[derive(Debug)]
struct Sent {
    id: Option<u64>,
    name: String,
    data: String,
}

impl Stream {
    async fn open(browser: &Browser, path: &str, last: Option<u64>) -> Self {
        let mut request = Request::get(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = browser.open(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header(header::CONTENT_TYPE.as_str()), Some("text/event-stream"));
        assert_eq!(header(header::CACHE_CONTROL.as_str()), Some("no-store, no-transform"));
        assert_eq!(header("x-accel-buffering"), Some("no"));
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event; `None` when the server has ended the stream.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let values = event.lines().filter_map(|line| line.strip_prefix(name)).map(str::trim_start);
                    values.collect::<Vec<_>>().join("\n")
                };
                let sent = Sent { id: field("id:").parse().ok(), name: field("event:"), data: field("data:") };
                self.text = rest.to_owned();
                if sent.id.is_some() || !sent.name.is_empty() {
                    return Some(sent);
                }
                continue;
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.unwrap()?;
            self.text += std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap();
        }
    }

    /// The next row whose text holds `words`.
    async fn row(&mut self, words: &str) -> Sent {
        loop {
            let sent = self.next().await.unwrap();
            if sent.name == "row" && sent.data.contains(words) {
                return sent;
            }
        }
    }

    /// What the last event says before the stream ends.
    async fn end(&mut self) -> String {
        let mut last = self.next().await.unwrap();
        while let Some(sent) = self.next().await {
            last = sent;
        }
        assert_eq!(last.name, "end", "{last:?}");
        last.data
    }
}

fn mark(app: &App, tenant: &Tenant, number: u32) {
    let action = format!("marker.{}.{number}", tenant.slug);
    app.trail.send(tenant.id.into(), Entry::new(tenant.id.into(), Actor::system("test"), action));
}

async fn following(pool: &PgPool) -> Arc<App> {
    let app = app(pool).await;
    tokio::spawn(Arc::clone(&app).follow_forever());
    app
}

/// Where a tenant's log ends.
async fn head(pool: &PgPool, tenant: &Tenant) -> u64 {
    let head = "SELECT seq FROM stockade.audit_head WHERE tenant_id = $1";
    sqlx::query_scalar::<_, i64>(head).bind(tenant.id).fetch_one(pool).await.unwrap().unsigned_abs()
}

#[sqlx::test(migrations = false)]
async fn each_page_gets_every_new_entry_of_its_own_tenant_and_none_of_another(pool: PgPool) {
    const ENTRIES: u32 = 30;
    let app = following(&pool).await;
    let acme = Browser::signed_in(&app, &ACME, &OWNER).await;
    let bright = Browser::signed_in(&app, &BRIGHT, &OWNER).await;
    app.seal_now().await.unwrap();
    // Before the first of them is written.
    let ends = (head(&pool, &ACME).await, head(&pool, &BRIGHT).await);
    let read = async |browser: &Browser, end, own: Tenant, other: Tenant| {
        let mut stream = Stream::open(browser, "/audit/stream", Some(end)).await;
        let (mut last, mut seen) = (0, 0);
        while seen < ENTRIES {
            let sent = stream.next().await.unwrap();
            assert!(sent.id.unwrap() > last, "{sent:?} after {last}");
            last = sent.id.unwrap();
            assert!(!sent.data.contains(&format!("marker.{}", other.slug)), "{sent:?}");
            if sent.data.contains(&format!("marker.{}.{seen}<", own.slug)) {
                seen += 1;
            }
        }
    };
    let write = async {
        for number in 0..ENTRIES {
            mark(&app, &ACME, number);
            mark(&app, &BRIGHT, number);
            app.seal_now().await.unwrap();
        }
    };
    tokio::join!(read(&acme, ends.0, ACME, BRIGHT), read(&bright, ends.1, BRIGHT, ACME), write);
}

#[sqlx::test(migrations = false)]
async fn a_connection_that_broke_goes_on_behind_what_it_had(pool: PgPool) {
    let app = following(&pool).await;
    let owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    app.seal_now().await.unwrap();
    let start = head(&pool, &ACME).await;
    // What the page had seen is in its address, what a broken connection had seen in a header, and the header is the newer.
    let path = format!("/audit/stream?seen={start}");
    let mut stream = Stream::open(&owner, &path, None).await;
    for number in 0..3 {
        mark(&app, &ACME, number);
    }
    app.seal_now().await.unwrap();
    let last = stream.row("marker.acme.1<").await.id.unwrap();
    assert_eq!(last, start + 2);
    drop(stream);
    for number in 3..70 {
        mark(&app, &ACME, number);
    }
    app.seal_now().await.unwrap();
    let mut stream = Stream::open(&owner, &path, Some(last)).await;
    for number in 2..70 {
        let sent = stream.next().await.unwrap();
        assert_eq!(sent.id, Some(start + number + 1));
        assert!(sent.data.contains(&format!("marker.acme.{number}<")), "{sent:?}");
    }
    // Whoever missed too much is told so, and a number from nowhere begins at the end.
    for number in 70..250 {
        mark(&app, &ACME, number);
    }
    app.seal_now().await.unwrap();
    app.tell_followers().await.unwrap();
    assert!(Stream::open(&owner, "/audit/stream", Some(1)).await.end().await.contains("Reload"));
    let mut stream = Stream::open(&owner, "/audit/stream", Some(u64::MAX)).await;
    mark(&app, &ACME, 250);
    app.seal_now().await.unwrap();
    stream.row("marker.acme.250<").await;
}

#[sqlx::test(migrations = false)]
async fn a_page_follows_its_own_search(pool: PgPool) {
    let app = following(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.get("/audit?action=marker.acme.1").await.text;
    let address = page.split("data-follow=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let mut stream = Stream::open(&owner, &address.replace("&amp;", "&"), None).await;
    for number in 0..3 {
        mark(&app, &ACME, number);
    }
    app.seal_now().await.unwrap();
    let mut rows = Vec::new();
    let end = head(&pool, &ACME).await;
    loop {
        let sent = stream.next().await.unwrap();
        if sent.name == "row" {
            rows.push(sent.data);
        }
        // The last event has no row, and the number from which a new connection goes on.
        if sent.id == Some(end) {
            break;
        }
    }
    assert!(matches!(&*rows, [one] if one.contains("marker.acme.1<")), "{rows:?}");
    // An older page of the search follows nothing.
    let older = owner.get("/audit?after=1700000000000_00000000000000000000000000000001").await.text;
    assert!(older.contains("id=\"entries\"") && !older.contains("data-follow"));
}

#[sqlx::test(migrations = false)]
async fn a_page_ends_with_its_session(pool: PgPool) {
    let app = following(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut audit = Stream::open(&owner, "/audit/stream", None).await;
    let mut lanes = Stream::open(&owner, "/isolation/stream", None).await;
    assert_eq!(lanes.next().await.unwrap().name, "whole");
    owner.post("/sign-out/everywhere", &[]).await;
    mark(&app, &ACME, 1);
    app.seal_now().await.unwrap();
    // Not even the entry of the sign-out is shown.
    let last = audit.next().await.unwrap();
    assert!(last.name == "end" && last.data.contains("signed out"), "{last:?}");
    assert!(lanes.end().await.contains("signed out"));

    // Nothing is written when a session ends behind the application's back, and it is noticed all the same.
    let quiet = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    app.seal_now().await.unwrap();
    let mut audit = Stream::open(&quiet, "/audit/stream", Some(head(&pool, &ACME).await)).await;
    sqlx::query("DELETE FROM stockade.auth_session").execute(&pool).await.unwrap();
    assert!(audit.end().await.contains("signed out"));
}

#[sqlx::test(migrations = false)]
async fn a_page_ends_with_the_permission_to_see_it(pool: PgPool) {
    let app = following(&pool).await;
    let accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    app.seal_now().await.unwrap();
    let mut audit = Stream::open(&accountant, "/audit/stream", Some(head(&pool, &ACME).await)).await;
    mark(&app, &ACME, 1);
    app.seal_now().await.unwrap();
    audit.row("marker.acme.1<").await;
    sqlx::query("UPDATE stockade.rbac_role_assignment SET role = 'viewer' WHERE user_id = $1")
        .bind(ACME.person(&ACCOUNTANT))
        .execute(&pool)
        .await
        .unwrap();
    mark(&app, &ACME, 2);
    app.seal_now().await.unwrap();
    let last = audit.next().await.unwrap();
    assert!(last.name == "end" && last.data.contains("may not see"), "{last:?}");
}

/// Nothing is written, so only the question that is asked while a page waits can end it.
#[sqlx::test(migrations = false)]
async fn a_page_that_is_idle_ends_with_the_permission_too(pool: PgPool) {
    let app = following(&pool).await;
    let accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    app.seal_now().await.unwrap();
    let end = head(&pool, &ACME).await;
    let mut audit = Stream::open(&accountant, "/audit/stream", Some(end)).await;
    sqlx::query("UPDATE stockade.rbac_role_assignment SET role = 'viewer' WHERE user_id = $1")
        .bind(ACME.person(&ACCOUNTANT))
        .execute(&pool)
        .await
        .unwrap();
    // The stream's beats are frames too, so only the whole wait is bounded.
    let told = tokio::time::timeout(PATIENCE, audit.end()).await.unwrap();
    assert!(told.contains("may not see"), "{told}");
    app.seal_now().await.unwrap();
    assert_eq!(head(&pool, &ACME).await, end, "nothing was written meanwhile");
}

#[sqlx::test(migrations = false)]
async fn nobody_follows_what_they_may_not_see_and_to_follow_is_no_use_of_the_session(pool: PgPool) {
    let app = following(&pool).await;
    let mut viewer = Browser::signed_in(&app, &ACME, &VIEWER).await;
    assert_eq!(viewer.get("/audit/stream").await.status, StatusCode::FORBIDDEN);
    assert_eq!(Browser::new(&app).get("/audit/stream").await.location.as_deref(), Some("/sign-in"));

    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let person = ACME.person(&OWNER);
    sqlx::query("UPDATE stockade.auth_session SET last_seen_at = now() - interval '10 minutes' WHERE user_id = $1")
        .bind(person)
        .execute(&pool)
        .await
        .unwrap();
    let seen = async || -> bool {
        sqlx::query_scalar(
            "SELECT last_seen_at > now() - interval '5 minutes' FROM stockade.auth_session WHERE user_id = $1",
        )
        .bind(person)
        .fetch_one(&pool)
        .await
        .unwrap()
    };
    app.seal_now().await.unwrap();
    let mut stream = Stream::open(&owner, "/audit/stream", Some(head(&pool, &ACME).await)).await;
    mark(&app, &ACME, 1);
    app.seal_now().await.unwrap();
    stream.row("marker.acme.1<").await;
    assert!(!seen().await, "an open page keeps no session alive");
    owner.get("/audit").await;
    assert!(seen().await, "the control: a page that somebody asks for does");
}

#[sqlx::test(migrations = false)]
async fn seats_are_few_and_come_back(pool: PgPool) {
    let app = following(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let accountant = Browser::signed_in(&app, &ACME, &ACCOUNTANT).await;
    let mut open = Vec::new();
    for _ in 0..SEATS_OF_A_PERSON {
        open.push(Stream::open(&owner, "/isolation/stream", None).await);
    }
    let page = owner.get("/audit/stream").await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.retry_after.is_some());
    Stream::open(&accountant, "/audit/stream", None).await;
    drop(open);
    while app.live.seats_taken() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(owner.get("/audit/stream").await.status, StatusCode::OK);
}

#[sqlx::test(migrations = false)]
async fn the_server_stops_though_a_page_is_open(pool: PgPool) {
    let app = following(&pool).await;
    let owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut stream = Stream::open(&owner, "/audit/stream", None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(web::serve(Arc::clone(&app), listener, async {
        stopped.await.unwrap();
    }));
    stop.send(()).unwrap();
    while stream.next().await.is_some() {}
    server.await.unwrap().unwrap();
}

#[sqlx::test(migrations = false)]
async fn lanes_count_what_is_in_reach_and_what_was_stopped_today(pool: PgPool) {
    let app = following(&pool).await;
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let mut stream = Stream::open(&owner, "/isolation/stream", None).await;
    let first = stream.next().await.unwrap();
    assert!(
        first.name == "whole" && first.data.contains("<b>0</b><span>attempts to leave a lane stopped today"),
        "{first:?}"
    );
    let page = owner.get("/isolation").await.text;
    assert!(page.contains("<b>0</b><span>rows of another tenant in your reach"), "{page}");
    assert_eq!(
        page.matches("class=\"lane").count(),
        1 + 3,
        "the lanes of three customers, and the box around them: {page}"
    );
    owner.post("/isolation", &[]).await;
    // The gate and the batch guard stop one attempt each; what the database refuses is the database's.
    let changed = loop {
        let sent = stream.next().await.unwrap();
        if !sent.data.contains("<b>0</b><span>attempts to leave a lane stopped today") {
            break sent.data;
        }
    };
    assert!(changed.contains("<b>2</b><span>attempts to leave a lane stopped today"), "{changed}");
}
