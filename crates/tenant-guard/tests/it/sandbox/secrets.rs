//! A program that looks for what it was not given.

use std::io::Write;
use std::process::Command;

use stockade_tenant_guard::ErrorKind;
use stockade_tenant_guard::sandbox::{Sandbox, hide_this_process};

use super::{NOBODY_ELSE, is_root, script, stdout};

/// The variables that a shell makes up by itself.
const OF_THE_SHELL: [&str; 3] = ["PWD", "SHLVL", "_"];

fn names(environment: &str) -> Vec<&str> {
    let names = environment.lines().filter_map(|line| line.split('=').next());
    let mut names: Vec<_> = names.filter(|name| !OF_THE_SHELL.contains(name)).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_environment_is_empty() {
    let outcome = Sandbox::command("/usr/bin/env").run().await.unwrap();
    assert!(outcome.is_success());
    assert_eq!(names(stdout(&outcome)), ["HOME", "TMPDIR"]);
}

#[tokio::test]
async fn the_databases_url_does_not_pass_a_pattern_for_everything() {
    let url = std::env::var("DATABASE_URL").unwrap();
    let control = Command::new("/usr/bin/env").output().unwrap();
    assert!(String::from_utf8(control.stdout).unwrap().contains(&url), "the control: an ordinary child reads it");

    let sandbox = Sandbox::command("/usr/bin/env").allow_env("*").allow_env("DATABASE_URL");
    assert!(sandbox.withheld().contains(&"DATABASE_URL".to_owned()));
    let outcome = sandbox.run().await.unwrap();
    assert!(outcome.withheld().contains(&"DATABASE_URL".to_owned()));
    assert!(!stdout(&outcome).contains(&url));
    assert!(!names(stdout(&outcome)).contains(&"DATABASE_URL"));
    assert!(names(stdout(&outcome)).contains(&"PATH"), "and what is harmless passes");
}

#[tokio::test]
async fn a_secret_passes_by_its_exact_name_alone() {
    let url = std::env::var("DATABASE_URL").unwrap();
    let outcome = Sandbox::command("/usr/bin/env").dangerously_expose_secret_env("DATABASE_URL").run().await.unwrap();
    assert!(stdout(&outcome).contains(&format!("DATABASE_URL={url}")));
    let outcome = Sandbox::command("/usr/bin/env").dangerously_expose_secret_env("DATABASE_*").run().await.unwrap();
    assert!(!stdout(&outcome).contains(&url));
}

#[tokio::test]
async fn tilde_leads_to_an_empty_directory() {
    let outcome = script("ls -A ~ && cat ~/.pgpass").run().await.unwrap();
    assert!(!outcome.is_success());
    assert_eq!(stdout(&outcome), "");
    let outcome = script("pwd && echo \"$HOME\" && echo \"$TMPDIR\"").run().await.unwrap();
    let mut lines = stdout(&outcome).lines();
    let directory = lines.next().unwrap();
    assert_eq!(lines.collect::<Vec<_>>(), [directory; 2]);
    assert!(!std::path::Path::new(directory).exists(), "it is removed afterwards");
}

#[tokio::test]
async fn another_user_keeps_it_from_files_that_the_application_reads() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"db:5432:*:app:hunter2").unwrap();
    let cat = Sandbox::command("/bin/cat").arg(file.path());
    let control = cat.clone().run().await.unwrap();
    assert_eq!(stdout(&control), "db:5432:*:app:hunter2", "known limit: the same user reads the same files");

    let as_another = cat.user(NOBODY_ELSE, NOBODY_ELSE).run().await;
    if is_root() {
        let outcome = as_another.unwrap();
        assert!(!outcome.is_success());
        assert_eq!(stdout(&outcome), "");
        let outcome =
            script("id -u; id -G; echo > mine && echo writable").user(NOBODY_ELSE, NOBODY_ELSE).run().await.unwrap();
        assert_eq!(stdout(&outcome), "61234\n61234\nwritable", "and it has no groups but its own");
    } else {
        assert_eq!(as_another.unwrap_err().kind(), ErrorKind::Sandbox, "no privilege, no start");
    }
}

/// In one test, because hiding is for the process as a whole and for good.
#[tokio::test]
async fn hiding_the_process_closes_its_environment_to_the_same_user() {
    if has_capabilities() {
        // Root reads everything by its capabilities, so here is an application that has none.
        let name = "sandbox::secrets::hiding_the_process_closes_its_environment_to_the_same_user";
        let mut again = Command::new("setpriv");
        again.arg("--bounding-set=-all").arg(std::env::current_exe().unwrap()).args(["--exact", name]);
        assert!(again.status().unwrap().success());
        return;
    }
    let read = "cat \"/proc/$PPID/environ\" | tr '\\0' '\\n'";
    let url = std::env::var("DATABASE_URL").unwrap();
    let control = script(read).run().await.unwrap();
    assert!(stdout(&control).contains(&url), "known limit: a child of the same user reads its parent's environment");

    hide_this_process().unwrap();
    let outcome = script(read).run().await.unwrap();
    assert!(!stdout(&outcome).contains(&url));
    assert!(String::from_utf8_lossy(outcome.stderr()).contains("denied"));
}

fn has_capabilities() -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().filter_map(|line| line.strip_prefix("CapEff:")).any(|set| !set.trim().trim_matches('0').is_empty())
}

#[tokio::test]
async fn debug_and_errors_tell_no_value() {
    let sandbox = Sandbox::command("/bin/no-such-program")
        .arg("argument-hunter2")
        .env("NAME", "value-hunter2")
        .input("input-hunter2")
        .dangerously_expose_secret_env("DATABASE_URL");
    let error = sandbox.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Program);
    let outcome = script("echo output-hunter2; echo error-hunter2 >&2").run().await.unwrap();
    for text in [format!("{sandbox:?}"), format!("{error:?}"), error.to_string(), format!("{outcome:?}")] {
        assert!(!text.contains("hunter2") && !text.contains("postgres:"), "{text}");
    }
}
