//! The example `verify_bundle`, as an auditor runs it, and the second reader in Python.

use std::{
    env, fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{Log, body, key, with_footer};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/bundle.py");

pub(crate) fn second_opinion(bundle: &[u8]) -> Value {
    let mut python = Command::new("python3")
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs `python3` (3.10 or later, no packages) on the PATH");
    // A reader that has seen enough closes its end.
    let _ = python.stdin.take().unwrap().write_all(bundle);
    let output = python.wait_with_output().unwrap();
    let found: Value =
        serde_json::from_slice(&output.stdout).expect("`python3` could not run tests/reference/bundle.py");
    assert_eq!(output.status.code(), Some(i32::from(found != json!([]))));
    found
}

/// What the program says, and its exit code. Cargo builds examples beside the tests.
fn program(name: &str, bundle: &[u8], arguments: &[&str]) -> (String, i32) {
    let folder = env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jsonl", std::process::id()));
    fs::write(&file, bundle).unwrap();
    let mut program = Command::new(folder.join(format!("verify_bundle{}", env::consts::EXE_SUFFIX)));
    let output = program.arg(&file).args(arguments).output();
    let output = output.expect("run `cargo build -p stockade-audit-chain --example verify_bundle` first");
    fs::remove_file(&file).unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

#[tokio::test]
async fn the_exit_code_says_what_a_bundle_is_worth() {
    let log = Log::of(5);
    let (key, head) = (key().to_string(), log.head.to_string());
    let bundle = log.bundle(&log.whole(), Some(&log.checkpoint(5).await));
    let (said, code) = program("good", &bundle, &["--key", &key]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("result    INTACT") && said.contains("complete  yes") && said.contains(&head), "{said}");
    assert_eq!(program("head", &bundle, &["--head", &head]).1, 0);

    let mut lines = body(&bundle);
    let removed = lines.remove(4);
    let (said, code) = program("gap", &with_footer(&lines), &["--key", &key]);
    assert_eq!(code, 1);
    assert!(said.contains("entry 3: links up to 3 are missing") && said.contains("result    TAMPERED"), "{said}");
    lines.push(removed);
    assert_eq!(program("reordered", &with_footer(&lines), &["--key", &key]).1, 1);
    let (said, code) = program("torn", &bundle[..bundle.len() - 100], &["--key", &key]);
    assert_eq!((code, said.contains("DAMAGED")), (1, true), "{said}");

    assert_eq!(program("nobody", &bundle, &[]).1, 2);
    let newer = String::from_utf8(bundle.clone()).unwrap().replacen("\"bundle\":1", "\"bundle\":9", 1);
    assert_eq!(program("newer", newer.as_bytes(), &["--key", &key]).1, 2);

    for wrong in [&["--key"][..], &["--key", "x"], &["--head", "x"], &["--colour"], &["another"]] {
        assert_eq!(program("usage", &bundle, wrong).1, 3, "{wrong:?}");
    }
}

#[tokio::test]
async fn the_second_reader_agrees_on_bundles_and_on_forgeries_of_them() {
    let log = Log::of(6);
    let bundle = log.bundle(&log.range(1, 6), Some(&log.checkpoint(6).await));
    let lines = body(&bundle);
    assert_eq!(second_opinion(&bundle), json!([]));
    let mut forgeries = Vec::new();
    for line in 2..lines.len() {
        let mut without = lines.clone();
        without.remove(line);
        forgeries.push(without);
        let mut swapped = lines.clone();
        swapped.swap(line, 2);
        forgeries.push(swapped);
        for (from, to) in
            [("\"hash\":\"", "prev"), ("Ana Ruiz", "Bob Ruiz"), ("\"seq\":", "\"seq\":1"), ("\"prev\":\"", "hash")]
        {
            let mut changed = lines.clone();
            changed[line] = if to.contains(' ') || to.contains(':') {
                changed[line].replacen(from, to, 1)
            } else {
                // Another digit in front of the digest.
                let at = changed[line].find(from).unwrap() + from.len();
                let digit = if changed[line].as_bytes()[at] == b'0' { "1" } else { "0" };
                format!("{}{digit}{}", &changed[line][..at], &changed[line][at + 1..])
            };
            forgeries.push(changed);
        }
    }
    for (number, forgery) in forgeries.iter().enumerate() {
        let bundle = with_footer(forgery);
        let own = match stockade_audit_chain::BundleVerifier::new().verify(bundle.as_slice()) {
            Ok(report) => {
                let name = |text: String| text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
                let verdicts = report.report().verdicts().iter();
                verdicts.map(|verdict| json!([verdict.seq, name(format!("{:?}", verdict.finding))])).collect()
            }
            Err(_) => Value::Null,
        };
        let other = second_opinion(&bundle);
        let other = if other.is_string() { Value::Null } else { other };
        assert_eq!(other, own, "forgery {number}");
    }
}
