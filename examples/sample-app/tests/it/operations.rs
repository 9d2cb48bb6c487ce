//! What operations are asked about.

use http::StatusCode;
use sample_app::{
    domain::drill,
    seed::{ACME, ADMIN, OWNER},
};
use sqlx::PgPool;

use crate::{
    browser::{Browser, app},
    posture::seen,
};

/// Needs `pg_dump` of the server's version, which Debian's newest packages of a server do not bring.
#[sqlx::test(migrations = false)]
async fn a_backup_is_restored_and_is_what_was_there(pool: PgPool) {
    let app = app(&pool).await;
    let Some(report) = drill::run(&app, "nobody").await.unwrap() else {
        let server: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000")
            .fetch_one(&pool)
            .await
            .unwrap();
        let here = std::path::Path::new("/usr/lib/postgresql").join(server.to_string()).join("bin/pg_dump");
        assert!(!here.exists(), "there is a pg_dump, and it was not used");
        return;
    };
    assert!(report.is_green(), "{report}");
    assert!(report.to_markdown().contains("chains verify in what was restored"), "{report}");
    let text = report.to_markdown();
    let copy = text.split("| restored | ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(copy.starts_with("freight_drill_"), "{text}");
    let there = "SELECT count(*) FROM pg_database WHERE datname = $1";
    assert_eq!(sqlx::query_scalar::<_, i64>(there).bind(copy).fetch_one(&pool).await.unwrap(), 0, "the copy is gone");
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let found = seen(&mut owner, "backup.restore").await;
    assert!(found.contains("\"pass\"") && found.contains("audit chains"), "{found}");
}

#[sqlx::test(migrations = false)]
async fn a_helper_and_a_drill_are_for_whoever_may_inspect(pool: PgPool) {
    let app = app(&pool).await;
    let mut admin = Browser::signed_in(&app, &ACME, &ADMIN).await;
    for path in ["/administration/helper", "/administration/drill"] {
        assert_eq!(admin.post(path, &[]).await.status, StatusCode::FORBIDDEN);
    }
    let mut owner = Browser::signed_in(&app, &ACME, &OWNER).await;
    let page = owner.post("/administration/helper", &[]).await;
    assert!(page.text.contains("DATABASE_URL") && page.text.contains("were withheld"), "{}", page.text);
}
