//! Helper processes, and what of the application they get to see. Where there is no sandbox, which is Linux's, none runs.

use std::path::Path;

use anyhow::Result;
use zeroize::Zeroizing;

/// What a helper process was given.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The names of its environment, as the program itself wrote them.
    pub environment: Vec<String>,
    /// Variables that were asked for and withheld, because they look like secrets.
    pub withheld: Vec<String>,
}

/// A program to run, and all that it gets.
pub(super) struct Helper<'a> {
    pub(super) path: &'a Path,
    pub(super) arguments: &'a [&'a str],
    pub(super) folder: &'a Path,
    /// One secret, by its exact name.
    pub(super) secret: Option<(&'a str, Zeroizing<String>)>,
}

/// Runs `env` in the sandbox with a list that allows everything, beside the URL of a database. What looks like a secret does not get
/// through, whatever the list says. `None` where there is no sandbox.
///
/// # Errors
/// When the system refuses to start or to confine it.
#[cfg(target_os = "linux")]
pub async fn environment() -> Result<Option<Seen>> {
    use stockade::tenant_guard::sandbox::Sandbox;
    // As deployments have it. This one opens nothing.
    let bait = "postgres://freight_app:opens-nothing@db.internal/freight";
    let helper = Sandbox::command("/usr/bin/env").allow_env("*").env("DATABASE_URL", bait).env("LANG", "C");
    let outcome = helper.run().await?;
    let text = String::from_utf8_lossy(outcome.stdout());
    let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_owned());
    Ok(Some(Seen { environment: names.collect(), withheld: outcome.withheld().to_vec() }))
}

#[cfg(target_os = "linux")]
pub(super) async fn run(helper: &Helper<'_>) -> Result<()> {
    use stockade::tenant_guard::sandbox::{Limits, Sandbox};
    const MINUTES: std::time::Duration = std::time::Duration::from_secs(300);
    let mut sandbox = Sandbox::command(helper.path)
        .args(helper.arguments.iter().copied())
        .directory(helper.folder)
        .limits(Limits::default().wall_time(MINUTES));
    if let Some((name, value)) = &helper.secret {
        sandbox = sandbox.env(*name, value.as_str()).dangerously_expose_secret_env(*name);
    }
    let outcome = sandbox.run().await?;
    let said = String::from_utf8_lossy(outcome.stderr());
    anyhow::ensure!(
        outcome.is_success(),
        "{} failed: {}",
        helper.path.display(),
        said.lines().next().unwrap_or("it said nothing")
    );
    Ok(())
}

/// See above.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unused_async, reason = "the same signature as where there is a sandbox")]
pub async fn environment() -> Result<Option<Seen>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unused_async, reason = "the same signature as where there is a sandbox")]
pub(super) async fn run(helper: &Helper<'_>) -> Result<()> {
    anyhow::bail!("there is no sandbox here to run {} in", helper.path.display())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[tokio::test]
    async fn a_helper_sees_no_url_of_a_database_though_everything_is_allowed() {
        let seen = super::environment().await.unwrap().unwrap();
        let holds = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
        assert!(holds(&seen.withheld, "DATABASE_URL") && !holds(&seen.environment, "DATABASE_URL"), "{seen:?}");
        assert!(holds(&seen.environment, "LANG"), "{seen:?}");
    }
}
