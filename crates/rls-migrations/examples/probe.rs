//! Attacks a schema of any PostgreSQL database as its application and prints what held.
//!
//! ```sh
//! cargo run -p stockade-rls-migrations --example probe -- $DATABASE_URL
//! cargo run -p stockade-rls-migrations --features toml,junit,serde --example probe -- $DATABASE_URL \
//!     --declaration isolation.toml --app-url $APP_DATABASE_URL --junit probe.xml --json probe.json --markdown probe.md
//! ```
//!
//! Without a declaration it takes one off the schema, by names and privileges. Exits with 1 on a leak, 2 when it was called wrongly
//! or cannot connect, 0 otherwise.

#![expect(clippy::print_stderr, reason = "a command-line program speaks over its streams")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use stockade_rls_migrations::{Discovery, Probe, ProbeReport, Schema};

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: probe DATABASE_URL [--declaration FILE.toml | --schema S --tenant-column C --app ROLE]
             [--setting NAME] [--app-url URL] [--junit FILE] [--json FILE] [--markdown FILE]

  DATABASE_URL     of a superuser, or of a role that can act as the application's; everything is rolled back
  --declaration    the schema's declaration; without one it is read off the schema (default: public)
  --setting        the setting that carries the tenant, where it is not stockade.tenant_id
  --app-url        how the application connects; without it, what needs a real login is untested";

const OPTIONS: [&str; 9] = [
    "--declaration",
    "--schema",
    "--tenant-column",
    "--app",
    "--setting",
    "--app-url",
    "--junit",
    "--json",
    "--markdown",
];

/// The command line: the database's URL, and each option at most once.
struct Arguments {
    url: String,
    options: BTreeMap<String, String>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut url, mut options) = (None, BTreeMap::new());
        while let Some(word) = words.next() {
            if let Some(option) = OPTIONS.iter().find(|option| **option == word) {
                let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
                if options.insert(word, value).is_some() {
                    return Err(format!("{option} is given twice"));
                }
            } else if word.starts_with('-') || url.is_some() {
                return Err(format!("`{}` is not understood", word.escape_debug()));
            } else {
                url = Some(word);
            }
        }
        let url = url.ok_or("the database's URL is missing")?;
        let hints = ["--schema", "--tenant-column", "--app"];
        if options.contains_key("--declaration") && hints.iter().any(|hint| options.contains_key(*hint)) {
            return Err("a declaration names its schema, columns and roles itself".to_owned());
        }
        Ok(Self { url, options })
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments).await {
        Ok(report) if report.leaks().next().is_some() => ExitCode::from(1),
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", chain(failure.as_ref()));
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ProbeReport, Failure> {
    let mut conn = PgConnection::connect(&arguments.url).await?;
    let schema = declaration(arguments, &mut conn).await?;
    let mut probe = Probe::new();
    if let Some(url) = arguments.option("--app-url") {
        probe = probe.login(url.parse::<PgConnectOptions>()?);
    }
    if let Some(setting) = arguments.option("--setting") {
        probe = probe.setting(setting);
    }
    let report = schema.probe(&mut conn, &probe).await?;
    if let Some(path) = arguments.option("--markdown") {
        std::fs::write(path, report.to_markdown())?;
    }
    if let Some(path) = arguments.option("--junit") {
        std::fs::write(path, junit(&report)?)?;
    }
    if let Some(path) = arguments.option("--json") {
        std::fs::write(path, json(&report)?)?;
    }
    let untested = report.untested().count();
    // A reader that closed the pipe has seen enough.
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{report}");
    if untested > 0 {
        let _ = writeln!(out, "{untested} attempts could not be made: what they would have shown is not known");
    }
    Ok(report)
}

async fn declaration(arguments: &Arguments, conn: &mut PgConnection) -> Result<Schema, Failure> {
    if let Some(path) = arguments.option("--declaration") {
        return declared(&std::fs::read_to_string(path)?);
    }
    let mut discovery = Discovery::of(arguments.option("--schema").unwrap_or("public"));
    if let Some(column) = arguments.option("--tenant-column") {
        discovery = discovery.tenant_column(column);
    }
    if let Some(role) = arguments.option("--app") {
        discovery = discovery.app(role);
    }
    Ok(discovery.read(conn).await?)
}

#[cfg(feature = "toml")]
fn declared(text: &str) -> Result<Schema, Failure> {
    Ok(Schema::from_toml(text)?)
}

#[cfg(not(feature = "toml"))]
fn declared(_: &str) -> Result<Schema, Failure> {
    Err("--declaration needs --features toml".into())
}

#[cfg(feature = "junit")]
fn junit(report: &ProbeReport) -> Result<String, Failure> {
    Ok(report.to_junit())
}

#[cfg(not(feature = "junit"))]
fn junit(_: &ProbeReport) -> Result<String, Failure> {
    Err("--junit needs --features junit".into())
}

#[cfg(feature = "serde")]
fn json(report: &ProbeReport) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(report)?)
}

#[cfg(not(feature = "serde"))]
fn json(_: &ProbeReport) -> Result<String, Failure> {
    Err("--json needs --features serde".into())
}

/// An error and what caused it, on one line.
fn chain(failure: &dyn std::error::Error) -> String {
    let mut text = failure.to_string();
    let mut source = failure.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
