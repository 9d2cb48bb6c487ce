//! The connection itself.

use sqlx::PgPool;
use stockade_posture::{Outcome, postgres};

use super::measured;

/// The server of the tests has no TLS, so this is the schema broken on purpose; the judgement of a connection with TLS is tested
/// beside the collector.
#[sqlx::test]
async fn a_connection_without_tls_is_found(pool: PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    let over_network: bool =
        sqlx::query_scalar("SELECT inet_client_addr() IS NOT NULL").fetch_one(&mut *connection).await.unwrap();
    let encrypted: bool = sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let seen = measured(postgres::transport(&mut connection)).await;
    let expected = match (encrypted, over_network) {
        (true, _) => Outcome::Pass,
        (false, true) => Outcome::Fail { reason: "the connection is not encrypted".into() },
        (false, false) => {
            Outcome::Unknown { reason: "a Unix socket: measure over the network that the application uses".into() }
        }
    };
    assert_eq!(
        (seen.len(), seen[0].subject().as_str(), seen[0].outcome()),
        (1, "connection to the database", &expected)
    );
}
