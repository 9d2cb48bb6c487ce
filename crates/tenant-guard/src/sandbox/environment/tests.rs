use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::{Environment, Selected};

fn own() -> Vec<(OsString, OsString)> {
    let text = [
        ("PATH", "/usr/bin"),
        ("LC_ALL", "C"),
        ("LC_TIME", "C"),
        ("LC_TOKEN", "x"),
        ("PGPASSWORD", "hunter2"),
        ("LC_URLISH", "postgres://app:hunter2@db/prod"),
        ("BASH_FUNC_kill%%", "() { :; }"),
    ];
    let mut own: Vec<_> = text.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
    own.push(("LC_BINARY".into(), OsStr::from_bytes(b"\xff").into()));
    own
}

fn select(build: impl FnOnce(&mut Environment)) -> (Vec<String>, Vec<String>) {
    let mut environment = Environment::default();
    build(&mut environment);
    let Selected { variables, withheld } = environment.select(own().into_iter());
    (variables.into_keys().collect(), withheld)
}

#[test]
fn nothing_passes_that_was_not_asked_for() {
    assert_eq!(select(|_| {}), (vec![], vec![]));
}

#[test]
fn a_pattern_passes_what_is_harmless_and_names_the_rest() {
    let (passed, withheld) = select(|environment| environment.allow("LC_*".into()));
    assert_eq!(passed, ["LC_ALL", "LC_TIME"]);
    assert_eq!(withheld, ["LC_BINARY", "LC_TOKEN", "LC_URLISH"]);
    let (passed, withheld) = select(|environment| environment.allow("*".into()));
    assert_eq!(passed, ["LC_ALL", "LC_TIME", "PATH"]);
    assert_eq!(withheld, ["BASH_FUNC_kill%%", "LC_BINARY", "LC_TOKEN", "LC_URLISH", "PGPASSWORD"]);
}

#[test]
fn an_exact_name_does_not_pass_a_secret_either() {
    let (passed, withheld) = select(|environment| environment.allow("PGPASSWORD".into()));
    assert_eq!((passed, withheld), (vec![], vec!["PGPASSWORD".to_owned()]));
    let (passed, withheld) = select(|environment| environment.set("API_KEY".into(), "x".into()));
    assert_eq!((passed, withheld), (vec![], vec!["API_KEY".to_owned()]));
}

#[test]
fn only_exposing_by_exact_name_passes_a_secret() {
    let (passed, _) = select(|environment| environment.expose("PGPASSWORD".into()));
    assert_eq!(passed, ["PGPASSWORD"]);
    let (passed, withheld) = select(|environment| environment.expose("PG*".into()));
    assert_eq!((passed, withheld), (vec![], vec![]), "no pattern exposes");
}

#[test]
fn a_variable_that_was_set_replaces_the_own_one() {
    let mut environment = Environment::default();
    environment.allow("PATH".into());
    environment.set("PATH".into(), "/opt/bin".into());
    assert_eq!(environment.select(own().into_iter()).variables["PATH"], "/opt/bin");
}

#[test]
fn a_name_that_no_shell_holds_is_withheld() {
    for name in ["", "1A", "A=B", "A B", "BASH_FUNC_kill%%", "Ä"] {
        let (passed, withheld) = select(|environment| {
            environment.set(name.into(), "x".into());
            environment.expose(name.into());
        });
        assert_eq!((passed.len(), withheld.len()), (0, 1), "{name}");
    }
}
