//! Programs that take too much.

use std::time::Duration;

use stockade_tenant_guard::sandbox::{Limit, Limits, Sandbox};

use super::{NOBODY_ELSE, is_root, script, stdout};

#[tokio::test]
async fn a_flood_of_output_is_cut_and_ends_the_program() {
    let limits = Limits::default().output(10_000);
    for (text, limit) in [("yes", Limit::Stdout), ("yes >&2", Limit::Stderr)] {
        let outcome = script(text).limits(limits).run().await.unwrap();
        assert_eq!(outcome.stopped_by(), Some(limit));
        assert!(!outcome.is_success());
        assert_eq!(outcome.stdout().len().max(outcome.stderr().len()), 10_000);
    }
    let outcome = script("head -c 10000 /dev/zero").limits(limits).run().await.unwrap();
    assert!(outcome.is_success(), "exactly the limit is within it");
}

#[tokio::test]
async fn time_ends_a_program_that_ignores_signals() {
    let limits = Limits::default().wall_time(Duration::from_millis(300));
    let outcome =
        script("trap '' TERM INT HUP; echo ready; while :; do sleep 60; done").limits(limits).run().await.unwrap();
    assert_eq!(outcome.stopped_by(), Some(Limit::WallTime));
    assert_eq!(stdout(&outcome), "ready", "what it wrote is kept");
}

#[tokio::test]
async fn processor_time_is_limited() {
    let outcome = script("while :; do :; done").limits(Limits::default().cpu_seconds(1)).run().await.unwrap();
    assert_eq!(outcome.stopped_by(), Some(Limit::CpuTime));
    let outcome =
        script("trap '' XCPU; while :; do :; done").limits(Limits::default().cpu_seconds(1)).run().await.unwrap();
    assert!(outcome.status().unwrap().code().is_none(), "killed a second later if it ignores the first signal");
}

#[tokio::test]
async fn memory_is_limited() {
    let greedy = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ${#x}";
    let control = script(greedy).run().await.unwrap();
    assert_eq!(stdout(&control), "60000000");
    let outcome = script(greedy).limits(Limits::default().memory(32 * 1024 * 1024)).run().await.unwrap();
    assert!(!outcome.is_success());
    assert_eq!(stdout(&outcome), "");
}

#[tokio::test]
async fn the_size_of_files_is_limited() {
    let limits = Limits::default().file_size(4096);
    let outcome = script("exec head -c 100000 /dev/zero > big").limits(limits).run().await.unwrap();
    assert_eq!(outcome.stopped_by(), Some(Limit::FileSize));
}

#[tokio::test]
async fn processes_of_another_user_are_limited() {
    if !is_root() {
        // The kernel counts all processes of the user, so no number is right for an application's own.
        return;
    }
    let bomb = "n=0; while [ $n -lt 50 ]; do sleep 60 & n=$((n+1)); echo $n; done";
    let limits = Limits::default().processes(10);
    let outcome = script(bomb).user(NOBODY_ELSE + 1, NOBODY_ELSE + 1).limits(limits).run().await.unwrap();
    assert!(!outcome.is_success());
    let forked: usize = stdout(&outcome).lines().last().unwrap().parse().unwrap();
    assert!(forked < 10, "{forked}");
}

#[tokio::test]
async fn outputs_are_kept_apart() {
    let outcome = Sandbox::command("/bin/sh").args(["-c", "echo out; echo err >&2; exit 3"]).run().await.unwrap();
    assert_eq!((outcome.stdout(), outcome.stderr()), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(outcome.status().unwrap().code(), Some(3));
    assert_eq!((outcome.stopped_by(), outcome.is_success()), (None, false));
}
