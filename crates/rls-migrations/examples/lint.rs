//! Lints a live database: `cargo run -p stockade-rls-migrations --example lint -- $DATABASE_URL`.
//!
//! Without a declaration it discovers one, which is good for a first look. Exits 1 on a finding at or above `--fail-on`
//! (`warning` unless given), 2 when it could not lint.

use std::io::Write as _;
use std::process::ExitCode;

use sqlx::{Connection as _, PgConnection};
use stockade_rls_migrations::{Discovery, LintReport, Schema, Severity};

const USAGE: &str = "usage: lint DATABASE_URL [--declaration FILE.toml | [--schema S] [--tenant-column C] [--app ROLE]]
            [--fail-on error|warning|notice] [--json FILE] [--sarif FILE] [--junit FILE]
--declaration needs --features toml; --json and --sarif need --features serde";

#[derive(Default)]
struct Arguments {
    url: String,
    declaration: Option<String>,
    schema: Option<String>,
    tenant_column: Option<String>,
    app: Option<String>,
    fail_on: Option<String>,
    json: Option<String>,
    sarif: Option<String>,
    junit: Option<String>,
}

impl Arguments {
    fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = Self::default();
        while let Some(argument) = given.next() {
            let place = match argument.as_str() {
                "--declaration" => &mut arguments.declaration,
                "--schema" => &mut arguments.schema,
                "--tenant-column" => &mut arguments.tenant_column,
                "--app" => &mut arguments.app,
                "--fail-on" => &mut arguments.fail_on,
                "--json" => &mut arguments.json,
                "--sarif" => &mut arguments.sarif,
                "--junit" => &mut arguments.junit,
                url if !url.starts_with('-') && arguments.url.is_empty() => {
                    arguments.url = argument;
                    continue;
                }
                _ => return Err(format!("unknown argument `{argument}`")),
            };
            *place = Some(given.next().ok_or_else(|| format!("`{argument}` needs a value"))?);
        }
        if arguments.url.is_empty() {
            return Err("no DATABASE_URL".to_owned());
        }
        if arguments.declaration.is_some()
            && (arguments.schema.is_some() || arguments.tenant_column.is_some() || arguments.app.is_some())
        {
            return Err("a declaration already says schema, tenant column and roles".to_owned());
        }
        Ok(arguments)
    }

    fn fail_on(&self) -> Result<Severity, String> {
        match self.fail_on.as_deref() {
            Some("error") => Ok(Severity::Error),
            Some("warning") | None => Ok(Severity::Warning),
            Some("notice") => Ok(Severity::Notice),
            Some(other) => Err(format!("`{other}` is not a severity")),
        }
    }

    async fn schema(&self, conn: &mut PgConnection) -> Result<Schema, String> {
        if let Some(file) = &self.declaration {
            return declared(file);
        }
        let mut discovery = Discovery::of(self.schema.as_deref().unwrap_or("public"));
        if let Some(column) = &self.tenant_column {
            discovery = discovery.tenant_column(column);
        }
        if let Some(app) = &self.app {
            discovery = discovery.app(app);
        }
        discovery.read(conn).await.map_err(|error| error.to_string())
    }
}

#[cfg(feature = "toml")]
fn declared(file: &str) -> Result<Schema, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    Schema::from_toml(&text).map_err(|error| format!("{file}: {error}"))
}

#[cfg(not(feature = "toml"))]
fn declared(_: &str) -> Result<Schema, String> {
    Err("--declaration needs --features toml".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "lint: {message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<ExitCode, String> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let fail_on = arguments.fail_on()?;
    let mut conn = PgConnection::connect(&arguments.url).await.map_err(|error| error.to_string())?;
    let schema = arguments.schema(&mut conn).await?;
    let report = LintReport::new(schema.lint(&mut conn).await.map_err(|error| error.to_string())?);
    if let Some(file) = &arguments.junit {
        write(file, &report.to_junit())?;
    }
    write_json(&arguments, &report)?;
    // A reader that closed the pipe has seen enough.
    let _ = write!(std::io::stdout(), "{report}");
    Ok(if report.reaches(fail_on) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(feature = "serde")]
fn write_json(arguments: &Arguments, report: &LintReport) -> Result<(), String> {
    if let Some(file) = &arguments.json {
        write(file, &format!("{:#}\n", report.to_json()))?;
    }
    let artifact = arguments.declaration.as_deref().unwrap_or("migrations");
    let sarif = arguments.sarif.as_ref();
    sarif.map_or(Ok(()), |file| write(file, &format!("{:#}\n", report.to_sarif(artifact))))
}

#[cfg(not(feature = "serde"))]
fn write_json(arguments: &Arguments, _: &LintReport) -> Result<(), String> {
    let asked = arguments.json.is_some() || arguments.sarif.is_some();
    if asked { Err("--json and --sarif need --features serde".to_owned()) } else { Ok(()) }
}

fn write(file: &str, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))
}
