//! More sign-ins than anybody needs.

use http::StatusCode;
use sqlx::PgPool;
use stockade::bridge::PLATFORM;

use crate::{browser::Browser, world::World};

#[sqlx::test(migrations = false)]
async fn a_flood_is_told_when_to_come_again_and_is_one_warning(pool: PgPool) {
    let world = World::new(pool, "flood").await;
    let router = world.router();
    // A form without fields costs no hash, and is counted before it is read.
    let mut attacker = Browser::new(&router);
    for _ in 0..20 {
        assert_eq!(attacker.post("/sign-in", &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for forged in ["198.51.100.1", "198.51.100.2"] {
        attacker.headers.remove("x-forwarded-for");
        attacker = attacker.header("x-forwarded-for", forged);
        let page = attacker.post("/sign-in", &[]).await;
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "a forged address is no other address");
        let wait: u64 = page.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=1800).contains(&wait), "{wait}");
    }
    assert_eq!(
        Browser::at(&router, [203, 0, 113, 8]).post("/sign-in", &[]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    // The trail is a queue: its entry is there soon.
    for _ in 0..100 {
        let lines = world.log("ratelimit.breach").await;
        if let [line] = &lines[..] {
            assert_eq!((line.tenant_id, line.severity, line.outcome.as_str()), (PLATFORM, 2, "denied"));
            return;
        }
        assert!(lines.is_empty(), "one entry, however many refusals");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the breach is not in the log");
}
