//! A relay between the client and the server, on the test's own thread.
//!
//! A server on another core may answer before its client looks, and then the client never waits: a cut at that await
//! would depend on the machine's load. Behind this relay an answer arrives only after the client has yielded.

use sqlx::postgres::PgConnectOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// The same server, reached through a relay that lives as long as the test's runtime.
pub(crate) async fn relayed(options: PgConnectOptions) -> PgConnectOptions {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = format!("{}:{}", options.get_host(), options.get_port());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                // Either side may vanish: that is what these tests are about.
                drop(copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    options.host("127.0.0.1").port(port)
}
