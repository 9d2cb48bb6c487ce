//! Programs that try to get at the application's secrets, or do not want to end.

mod confinement;
mod ending;
mod limits;
mod secrets;

use stockade_tenant_guard::sandbox::{Outcome, Sandbox};

/// A shell script in a sandbox.
fn script(text: &str) -> Sandbox {
    Sandbox::command("/bin/sh").args(["-c", text]).env("PATH", "/usr/bin:/bin")
}

fn stdout(outcome: &Outcome) -> &str {
    std::str::from_utf8(outcome.stdout()).unwrap().trim_end()
}

/// Whether the process runs. A zombie that nobody has reaped yet does not.
fn is_alive(pid: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X'])
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A user that owns nothing and runs nothing else.
const NOBODY_ELSE: u32 = 61_234;
