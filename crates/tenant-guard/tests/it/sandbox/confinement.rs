//! What a program has when it starts.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::io::{FdFlags, fcntl_setfd};
use stockade_tenant_guard::ErrorKind;
use stockade_tenant_guard::sandbox::{Limits, Sandbox};

use super::{script, stdout};

/// An open file as a library in C might leave it: children inherit it.
fn inheritable() -> File {
    let file = tempfile::tempfile().unwrap();
    fcntl_setfd(&file, FdFlags::empty()).unwrap();
    file
}

/// The shell lists without opening anything above 2 for itself.
const LIST: &str = "for fd in /proc/$$/fd/*; do echo ${fd##*/}; done";

#[tokio::test]
async fn no_descriptor_is_inherited() {
    let file = inheritable();
    let number = file.as_raw_fd().to_string();
    let control = Command::new("/bin/sh").args(["-c", LIST]).output().unwrap();
    let control = String::from_utf8(control.stdout).unwrap();
    assert!(control.lines().any(|line| line == number), "the control: an ordinary child inherits it: {control}");

    let outcome = script(LIST).run().await.unwrap();
    assert_eq!(stdout(&outcome).lines().filter(|fd| fd.parse::<u32>().unwrap() <= 2).count(), 3);
    let path = format!("readlink /proc/self/fd/{number} | grep -c deleted");
    assert_eq!(stdout(&script(&path).run().await.unwrap()), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_that_appear_during_the_start_are_not_inherited() {
    let stop = Arc::new(AtomicBool::new(false));
    let opener = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                drop(inheritable());
            }
        }
    });
    let mut started = 0;
    for _ in 0..60 {
        match script("ls -l /proc/$$/fd | grep -c deleted").run().await {
            Ok(outcome) => {
                started += 1;
                assert_eq!(stdout(&outcome), "0");
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Sandbox),
        }
    }
    stop.store(true, Ordering::Relaxed);
    opener.join().unwrap();
    assert!(started > 0);
}

#[tokio::test]
async fn limits_hold_from_the_first_instruction() {
    let limits = Limits::default().cpu_seconds(7).open_files(33).file_size(512 * 100).memory(512 * 1024 * 1024);
    let outcome = script("ulimit -t; ulimit -n; ulimit -f; ulimit -v; ulimit -c").limits(limits).run().await.unwrap();
    assert_eq!(stdout(&outcome), "7\n33\n100\n524288\n0");
    let outcome = script("ulimit -c unlimited || echo refused").user_if_root().run().await.unwrap();
    assert_eq!(stdout(&outcome), "refused", "a program that is not root cannot lift them");
}

#[tokio::test]
async fn no_program_gains_privileges_it_was_not_started_with() {
    let outcome = script("grep NoNewPrivs /proc/$$/status").run().await.unwrap();
    assert_eq!(stdout(&outcome), "NoNewPrivs:\t1");
    let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    assert!(own.contains("NoNewPrivs:\t0"), "the application's own threads are as they were");
}

#[tokio::test]
async fn it_leads_a_process_group_of_its_own() {
    let outcome = script("cut -d ' ' -f 1,5 /proc/$$/stat").run().await.unwrap();
    let (pid, group) = stdout(&outcome).split_once(' ').unwrap();
    assert_eq!(pid, group);
}

#[tokio::test]
async fn its_input_is_empty_unless_it_is_given() {
    let outcome = script("cat; readlink /proc/$$/fd/0").run().await.unwrap();
    assert_eq!(stdout(&outcome), "/dev/null");
    let bytes = vec![b'x'; 1_000_000];
    let outcome = Sandbox::command("/bin/cat").input(bytes.clone()).run().await.unwrap();
    assert_eq!(outcome.stdout(), bytes);
    let outcome = Sandbox::command("/bin/true").input(bytes).run().await.unwrap();
    assert!(outcome.is_success(), "a program need not read its input");
}

#[tokio::test]
async fn a_program_is_an_absolute_path_to_something_executable() {
    for program in ["env", "bin/sh", "./sh", "/no/such/program", "/etc/passwd", "/tmp", ""] {
        let error = Sandbox::command(program).run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Program, "{program}");
    }
}

#[tokio::test]
async fn arguments_are_not_read_by_a_shell() {
    let outcome = Sandbox::command("/bin/echo").args(["$(id)", "`id`", "; id", "a b", "-n"]).run().await.unwrap();
    assert_eq!(stdout(&outcome), "$(id) `id` ; id a b -n");
}

trait UserIfRoot {
    fn user_if_root(self) -> Self;
}

impl UserIfRoot for Sandbox {
    fn user_if_root(self) -> Self {
        if super::is_root() { self.user(super::NOBODY_ELSE, super::NOBODY_ELSE) } else { self }
    }
}
