//! A Redis that is killed, hangs and comes back.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use stockade_session::{MemoryStore, Scope, Store};
use tempfile::TempDir;

use super::*;

/// A redis-server of the test's own, which is killed with it. It listens on a socket in a folder, so that nobody can
/// take its port while it is down.
struct Server {
    folder: TempDir,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { child: Self::spawn(folder.path()), folder }
    }

    fn spawn(folder: &Path) -> Child {
        Command::new("redis-server")
            .current_dir(folder)
            .args(["--port", "0", "--unixsocket", "redis", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|_| panic!("redis-server is not installed: run the tests with scripts/test"))
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.folder.path());
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    async fn connect(&self) -> ConnectionManager {
        let client = ::redis::Client::open(format!("redis+unix://{}/redis", self.folder.path().display())).unwrap();
        let config = ConnectionManagerConfig::new().set_number_of_retries(1).set_max_delay(Duration::from_millis(10));
        for _ in 0..200 {
            if let Ok(connection) = ConnectionManager::new_with_config(client.clone(), config.clone()).await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server does not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Node = Cached<MemoryStore, ConnectionManager>;

/// Two processes over one primary store and one Redis, both warm.
async fn nodes(server: &Server) -> (MemoryStore, Node, Node) {
    let primary = MemoryStore::default();
    fill(&primary).await;
    let here = over(primary.clone(), server.connect().await, "outage");
    let there = over(primary.clone(), server.connect().await, "outage");
    for node in [&here, &there, &here] {
        assert!(found(node).await);
    }
    assert!(here.stats().hits > 0);
    (primary, here, there)
}

/// Looks until Redis answers again.
async fn recover(node: &Node) {
    let hits = node.stats().hits;
    for _ in 0..500 {
        assert!(node.resolve(&digest(2), start()).await.unwrap().is_some());
        if node.stats().hits > hits {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("Redis is not asked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_ends_no_session_and_lets_no_revoked_one_in() {
    let mut server = Server::start();
    let (primary, here, there) = nodes(&server).await;
    primary.insert_session(&digest(2), &record(2)).await.unwrap();
    let crowd: Vec<_> = (0..40)
        .map(|number| {
            let node = [&here, &there][number % 2].clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(u64::try_from(number).unwrap() / 4)).await;
                found(&node).await
            })
        })
        .collect();
    server.kill();
    for one in crowd {
        assert!(one.await.unwrap(), "answered by the primary store");
    }
    here.revoke(record(1).sid, start()).await.unwrap();
    assert_eq!(here.stats().untold, 1);
    assert!(!found(&here).await && !found(&there).await);
    let failures = here.stats().failures;
    for _ in 0..100 {
        assert!(!found(&here).await);
    }
    assert!(here.stats().failures < failures + 50, "it is not asked each time");
    server.restart();
    drop(server.connect().await);
    recover(&here).await;
    recover(&there).await;
    for _ in 0..3 {
        assert!(!found(&here).await && !found(&there).await);
    }
}

/// A server that keeps what it knew and did not hear of the revocation. In the process that revoked, it holds at once; in the others
/// within the bound, which is what the clock that is moved shows.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_redis_did_not_hear_of_holds_within_the_bound() {
    let server = Server::start();
    let (_, here, there) = nodes(&server).await;
    server.signal("-STOP");
    assert!(
        here.bump_version(Scope::User(user())).await.unwrap(),
        "it is carried out, and takes no longer than the deadline"
    );
    assert_eq!(here.stats().untold, 1);
    assert!(!found(&here).await, "this process asks the primary store from now on");
    assert!(!found(&there).await, "Redis does not answer");
    server.signal("-CONT");
    assert!(!found(&here).await);
    let later = start() + TimeDelta::seconds(5);
    assert!(there.resolve(&digest(1), later).await.unwrap().is_none());
}
