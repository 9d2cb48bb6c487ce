//! Several processes on one file, some of them killed. A child is this test binary again.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _};
use stockade_audit_chain::sqlite::{record, tenants};
use uuid::Uuid;

use crate::support::{Log, count, entry, options, report, tenant};

const FILE: &str = "STOCKADE_AUDIT_TEST_FILE";
const APPENDS: &str = "STOCKADE_AUDIT_TEST_APPENDS";

/// Starts a process that appends `count` entries and prints the id of each after its commit.
fn writer(log: &Log, count: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, log.file())
        .env(APPENDS, count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(line: &str) -> Option<Uuid> {
    line.rsplit_once("acknowledged ").and_then(|(_, id)| id.parse().ok())
}

#[tokio::test]
#[ignore = "the child of the other tests"]
async fn child() {
    let (Ok(file), Ok(count)) = (env::var(FILE), env::var(APPENDS)) else { return };
    let mut connection = options(file.as_ref()).connect().await.unwrap();
    for number in 0..count.parse().unwrap() {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let receipt = record(&mut tx, &entry(tenant(u128::from(number % 2)), number)).await.unwrap();
        tx.commit().await.unwrap();
        println!("\nacknowledged {}", receipt.entry_id);
    }
}

/// Everything acknowledged is there and sealed, and both chains are whole.
async fn check(log: &Log, acknowledged: &[Uuid]) -> u64 {
    let mut connection = log.connect().await;
    let mut checked = 0;
    for tenant in tenants(&mut connection).await.unwrap() {
        let report = report(&mut connection, tenant).await;
        assert!(report.is_intact(), "{:?}", report.verdicts());
        checked += report.checked();
    }
    for id in acknowledged {
        let link = sqlx::query("SELECT seq FROM stockade_audit_link WHERE entry_id = ?1").bind(id);
        assert!(link.fetch_optional(&mut connection).await.unwrap().is_some(), "{id} was acknowledged and is lost");
    }
    assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_entry").await.unsigned_abs(), checked);
    checked
}

#[tokio::test]
async fn four_processes_make_no_fork_gap_or_loss() {
    let count: u64 = env::var("STOCKADE_AUDIT_APPENDS").map_or(150, |count| count.parse().unwrap());
    let log = Log::new().await;
    let writers: Vec<_> = (0..4).map(|_| writer(&log, count)).collect();
    let mut ids = Vec::new();
    for writer in writers {
        let output = writer.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        ids.extend(text.lines().filter_map(acknowledged));
    }
    assert_eq!(ids.len() as u64, 4 * count);
    assert_eq!(check(&log, &ids).await, 4 * count);
}

#[tokio::test]
async fn a_writer_that_is_killed_loses_nothing_that_it_acknowledged() {
    let rounds: u64 = env::var("STOCKADE_AUDIT_KILLS").map_or(6, |count| count.parse().unwrap());
    let log = Log::new().await;
    let mut survivor = writer(&log, rounds * 40);
    let mut ids = Vec::new();
    for round in 0..rounds {
        let mut victim = writer(&log, u64::MAX);
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        // At least one entry, then at whatever point this one is in.
        ids.push(lines.by_ref().find_map(|line| acknowledged(&line.unwrap())).unwrap());
        tokio::time::sleep(Duration::from_micros(round * 1_700)).await;
        victim.kill().unwrap();
        ids.extend(lines.map_while(Result::ok).filter_map(|line| acknowledged(&line)));
        victim.wait().unwrap();
    }
    let mut lines = BufReader::new(survivor.stdout.take().unwrap()).lines();
    ids.extend(lines.by_ref().map_while(Result::ok).filter_map(|line| acknowledged(&line)));
    assert!(survivor.wait().unwrap().success());
    let checked = check(&log, &ids).await;
    // Each killed process may have committed one entry more than it could say.
    assert!((ids.len() as u64..=ids.len() as u64 + rounds).contains(&checked), "{checked} of {}", ids.len());
}
