//! Where a request comes from, and what it is called.

use http::StatusCode;
use sqlx::PgPool;

use crate::{
    browser::Browser,
    install::{PASSWORD, PEOPLE},
    world::{LOADS, World},
};

const PROXY: [u8; 4] = [10, 0, 0, 1];

/// Changes a load's rate in what the browser says, and tells address and id of the entry.
async fn changed(world: &World, browser: &mut Browser) -> (Vec<u8>, String) {
    let page = browser.post(&format!("/loads/{}", LOADS[0]), &[("cents", "5")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let line = world.log("load.edit").await.pop().unwrap();
    assert_eq!(line.request_id.as_deref(), page.header("x-request-id"), "the response repeats the id");
    (line.ip.unwrap(), line.request_id.unwrap())
}

#[sqlx::test(migrations = false)]
async fn only_a_trusted_proxy_says_where_a_request_comes_from_and_what_it_is_called(pool: PgPool) {
    let world = World::new(pool, "proxies").await;
    let router = world.router();
    let forging =
        |browser: Browser| browser.header("x-forwarded-for", "198.51.100.9").header("x-request-id", "Root=1-67a");
    let mut direct = forging(Browser::new(&router));
    assert_eq!(direct.sign_in(PEOPLE[0].0, PASSWORD).await.status, StatusCode::SEE_OTHER);
    let (ip, id) = changed(&world, &mut direct).await;
    assert_eq!(ip, [4, 203, 0, 113, 7], "the peer wrote those headers, and is nobody");
    assert_eq!((id.len(), id.contains('=')), (36, false), "{id}");

    let mut behind = forging(Browser::at(&router, PROXY));
    assert_eq!(behind.sign_in(PEOPLE[0].0, PASSWORD).await.status, StatusCode::SEE_OTHER);
    let (ip, id) = changed(&world, &mut behind).await;
    assert_eq!((&ip[..], id.as_str()), (&[4, 198, 51, 100, 9][..], "Root=1-67a"));

    // What a client puts before the proxy's word is not the end of the list.
    behind.headers.remove("x-forwarded-for");
    let mut forged = behind.header("x-forwarded-for", "192.0.2.1, 203.0.113.50");
    assert_eq!(changed(&world, &mut forged).await.0, [4, 203, 0, 113, 50]);
}

#[sqlx::test(migrations = false)]
async fn a_malformed_id_is_replaced_even_from_a_proxy(pool: PgPool) {
    let world = World::new(pool, "ids").await;
    let router = world.router();
    let long = "a".repeat(129);
    for bad in ["", " ", "a b", "a\"b", "a,b", "<script>", &long] {
        let page = Browser::at(&router, PROXY).header("x-request-id", bad).get("/loads").await;
        assert_eq!(page.header("x-request-id").unwrap().len(), 36, "{bad:?}");
    }
    let twice =
        Browser::at(&router, PROXY).header("x-request-id", "one").header("x-request-id", "two").get("/loads").await;
    assert_eq!(twice.header("x-request-id").unwrap().len(), 36);
    let page = Browser::at(&router, PROXY).header("x-request-id", "a-Z_0.9:/+=").get("/loads").await;
    assert_eq!(page.header("x-request-id"), Some("a-Z_0.9:/+="));
}
