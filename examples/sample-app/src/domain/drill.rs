//! The restore drill: a dump of the running database, restored beside it, and compared with it.
//!
//! `pg_dump` and `pg_restore` are helper processes in the sandbox. What they get of the application is one password, by its exact
//! name, and a folder that is removed afterwards.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sqlx::{Connection as _, postgres::PgConnectOptions};
use stockade::{
    audit_chain::postgres::{VerifyOptions, tenants, verify},
    rls_migrations::{Drill, DrillReport, Part},
};
use zeroize::Zeroizing;

use super::helpers::{self, Helper};
use crate::{app::App, database::Server, schema};

/// The check that no comparison of rows replaces.
const CHAINS: &str = "audit chains";

/// Dumps, restores, compares, and drops what was restored; what came of it is kept for the control `backup.restore`. `None` where
/// there is nothing to drill: an embedded engine, or no `pg_dump` of the server's version.
///
/// # Errors
/// When a program or the database fails, or the report cannot be kept.
pub async fn run(app: &App, who: &str) -> Result<Option<DrillReport>> {
    let (Some(_), Some((newest, tools))) = (app.login(), tools()) else { return Ok(None) };
    let mut administrator = app.administrator().await?;
    let server: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000")
        .fetch_one(&mut administrator)
        .await?;
    administrator.close().await?;
    if server > newest {
        return Ok(None);
    }
    let drilled = rehearse(app, who, &tools).await;
    app.watch.rehearsal().keep(drilled.as_ref().ok())?;
    drilled.map(Some)
}

async fn rehearse(app: &App, who: &str, tools: &Path) -> Result<DrillReport> {
    // What waits for its place in the chain would get it between the dump and the comparison.
    app.seal_now().await?;
    let source = app.administrator_login();
    // The server cuts longer names off, and then it could be the original's.
    let name = format!("freight_drill_{:08x}", rand()?);
    let target = source.clone().database(&name);
    let folder = tempfile::tempdir().context("there is no temporary folder for the dump")?;
    let dump = ["--format=custom", "--file=dump", "--dbname", source.get_database().unwrap_or_default()];
    program(&tools.join("pg_dump"), &dump, source, folder.path()).await?;

    let restored = Server::at(target.clone());
    restored.create_database().await?;
    let compared = compare(app, who, tools, &restored, &target, folder.path()).await;
    restored.drop_database().await?;
    compared
}

async fn compare(
    app: &App,
    who: &str,
    tools: &Path,
    restored: &Server,
    target: &PgConnectOptions,
    folder: &Path,
) -> Result<DrillReport> {
    let restore = ["--exit-on-error", "--dbname", target.get_database().unwrap_or_default(), "dump"];
    program(&tools.join("pg_restore"), &restore, target, folder).await?;
    let (mut source, mut copy) = (app.administrator().await?, restored.administrator().await?);
    let schema = schema::schema(app.prefix());
    let (before, after) = (schema.snapshot(&mut source).await?, schema.snapshot(&mut copy).await?);
    let chains = async {
        let all = tenants(&mut copy).await.map_err(|error| error.to_string())?;
        for tenant in &all {
            let report = verify(&mut copy, *tenant, &VerifyOptions::new()).await.map_err(|error| error.to_string())?;
            if !report.is_intact() {
                return Err(format!("{} findings in a chain", report.verdicts().len()));
            }
        }
        Ok(format!("{} chains verify in what was restored", all.len()))
    };
    let report = Drill::new()
        .require(CHAINS)
        .accept(Part::Grants, "database", "restored beside the original, so its privileges are not in the dump")
        .compare(&before, &after)
        .check(CHAINS, chains)
        .await
        .signed_off_by(who);
    source.close().await?;
    copy.close().await?;
    Ok(report)
}

/// One of PostgreSQL's programs, which logs in as the administrator.
async fn program(path: &Path, arguments: &[&str], login: &PgConnectOptions, folder: &Path) -> Result<()> {
    let url = sqlx::ConnectOptions::to_url_lossy(login);
    let port = login.get_port().to_string();
    // Everybody on the machine can read these, and none of them is secret.
    let server = ["--no-password", "--host", login.get_host(), "--port", &port, "--username", login.get_username()];
    let arguments: Vec<&str> = server.into_iter().chain(arguments.iter().copied()).collect();
    let secret = url.password().map(|password| ("PGPASSWORD", decoded(password)));
    helpers::run(&Helper { path, arguments: &arguments, folder, secret }).await
}

/// A part of a URL, as it was before it was one.
fn decoded(part: &str) -> Zeroizing<String> {
    let form = Zeroizing::new(format!("x={}", part.replace('+', "%2B")));
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&form).unwrap_or_default();
    Zeroizing::new(pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default())
}

/// The folder with the newest `pg_dump`: it reads every older server.
fn tools() -> Option<(i32, PathBuf)> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(i32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("pg_dump").exists())
        .collect();
    versions.sort();
    versions.pop()
}

fn rand() -> Result<u32> {
    let mut id = [0; 4];
    getrandom::fill(&mut id)?;
    Ok(u32::from_ne_bytes(id))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_read_back_from_a_url() {
        assert_eq!(super::decoded("a%2Bb+c%20%25").as_str(), "a+b+c %");
    }
}
