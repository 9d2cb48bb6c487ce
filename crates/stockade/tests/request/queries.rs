//! What a request costs the database.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::Router;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    app,
    browser::Browser,
    world::{LOADS, World, keys},
};

/// What clients asked the server to run: `Q` for a message of plain SQL, `E` for a prepared statement.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// The commands, once there are so many: a transaction that was dropped ends in the background.
    async fn short(&self, number: usize) -> Vec<String> {
        for _ in 0..100 {
            if self.0.lock().unwrap().len() >= number {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.take().iter().map(|sql| sql.split(';').next().unwrap().to_owned()).collect()
    }
}

/// The pool, through a relay that writes down what passes.
async fn overheard(pool: &PgPool, asked: &Asked) -> PgPool {
    let options = pool.connect_options().as_ref().clone();
    let server = format!("{}:{}", options.get_host(), options.get_port());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = options.host("127.0.0.1").port(listener.local_addr().unwrap().port());
    let asked = asked.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let (from_client, mut to_client) = client.into_split();
            let (mut from_server, to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await.ok() });
            tokio::spawn(relay(from_client, to_server, asked.clone()));
        }
    });
    let options = options.ssl_mode(sqlx::postgres::PgSslMode::Disable);
    PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect_lazy_with(options)
}

/// Messages of the protocol: first one with a length alone, then each with a letter before it.
async fn relay(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    asked: Asked,
) -> Option<()> {
    let mut letter = None;
    loop {
        let length = from.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).ok()? - 4];
        from.read_exact(&mut body).await.ok()?;
        match letter {
            Some(b'Q') => {
                let sql = String::from_utf8_lossy(body.strip_suffix(b"\0").unwrap_or_default()).into_owned();
                asked.0.lock().unwrap().push(format!("Q {sql}"));
            }
            Some(b'E') => asked.0.lock().unwrap().push("E".to_owned()),
            _ => {}
        }
        let mut message: Vec<u8> = letter.into_iter().collect();
        message.extend(length.to_be_bytes());
        message.extend(body);
        to.write_all(&message).await.ok()?;
        letter = Some(from.read_u8().await.ok()?);
    }
}

#[sqlx::test(migrations = false)]
async fn a_request_is_one_query_for_its_session_and_one_row_for_its_authority(pool: PgPool) {
    let world = World::new(pool, "queries").await;
    let (requests, gate) = (Asked::default(), Asked::default());
    let pools = (overheard(&world.requests, &requests).await, overheard(&world.gate, &gate).await);
    let router: Router = app::router(pools.0, pools.1, keys(), &[]).unwrap();
    let mut dan = Browser::signed_in(&router, 0).await;
    let load = format!("/loads/{}", LOADS[0]);
    // The first time, the person is loaded, and statements are prepared.
    dan.get("/loads").await;
    dan.post(&load, &[("cents", "1")]).await;
    requests.short(12).await;
    gate.take();

    assert_eq!(dan.get("/loads").await.text, "L-1 1");
    assert_eq!(gate.short(1).await, ["E"], "the session");
    let look = ["Q BEGIN READ ONLY", "E", "E", "Q ROLLBACK"];
    assert_eq!(requests.short(look.len()).await, look, "the version, and the handler's own query");

    dan.post(&load, &[("cents", "2")]).await;
    assert_eq!(gate.short(1).await, ["E"], "the session");
    let work = ["Q BEGIN", "E", "E", "E", "E", "Q COMMIT"];
    assert_eq!(
        requests.short(work.len()).await,
        work,
        "the version; the row, the change and its entry are the handler's"
    );

    Browser::new(&router).get("/loads").await;
    assert_eq!((gate.take(), requests.take()), (vec![], vec![]), "a stranger costs nothing");
}
