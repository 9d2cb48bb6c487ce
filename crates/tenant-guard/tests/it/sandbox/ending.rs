//! Programs, and what they started, that should have ended.

use std::time::Duration;

use stockade_tenant_guard::sandbox::{Limit, Limits};

use super::{is_alive, script, stdout};

#[tokio::test]
async fn what_it_left_in_the_background_is_killed() {
    let outcome = script("trap '' TERM HUP; sleep 600 & echo $!").run().await.unwrap();
    assert!(outcome.is_success());
    eventually_dead(stdout(&outcome)).await;
}

#[tokio::test]
async fn children_of_children_end_with_it() {
    let limits = Limits::default().wall_time(Duration::from_millis(300));
    let text = "trap '' TERM; (trap '' TERM; (trap '' TERM; sh -c 'echo $$; exec sleep 600') & wait) & wait";
    let outcome = script(text).limits(limits).run().await.unwrap();
    assert_eq!(outcome.stopped_by(), Some(Limit::WallTime));
    eventually_dead(stdout(&outcome)).await;
}

#[tokio::test]
async fn dropping_the_run_kills_the_program_and_its_children() {
    let directory = tempfile::tempdir().unwrap();
    let pids = directory.path().join("pids");
    let sandbox = script("trap '' TERM; sleep 600 & echo $$ $! > new && mv new pids; wait").directory(directory.path());
    let run = tokio::spawn(async move { sandbox.run().await });
    while !pids.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let pids = std::fs::read_to_string(pids).unwrap();
    assert!(pids.split_whitespace().all(is_alive));
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    for pid in pids.split_whitespace() {
        eventually_dead(pid).await;
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_at_any_poll_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits::default().wall_time(Duration::from_millis(200));
    for polls in 1..12 {
        let log = directory.path().join(polls.to_string());
        let text = format!("echo $$ > new{polls} && mv new{polls} {polls}; exec sleep 600");
        crate::world::cut(polls, script(&text).directory(directory.path()).limits(limits).run()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Ok(pid) = std::fs::read_to_string(log) {
            eventually_dead(pid.trim()).await;
        }
    }
}

/// A new session is a new process group, which is not the one that is killed.
#[tokio::test]
async fn known_limit_a_new_session_escapes() {
    let outcome = script("setsid sleep 600 </dev/null >/dev/null 2>&1 & sleep 0.2; echo $!").run().await.unwrap();
    let pid = stdout(&outcome);
    assert!(is_alive(pid), "if this fails, the README promises too little");
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn an_escaped_process_cannot_hold_the_run_beyond_its_time() {
    let limits = Limits::default().wall_time(Duration::from_millis(500));
    let outcome = script("setsid sleep 600 & sleep 0.1; echo $!").limits(limits).run().await.unwrap();
    assert_eq!(outcome.stopped_by(), Some(Limit::WallTime));
    let pid = rustix::process::Pid::from_raw(stdout(&outcome).parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

async fn eventually_dead(pid: &str) {
    for _ in 0..1_000 {
        if !is_alive(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!is_alive(pid), "process {pid} still runs");
}
