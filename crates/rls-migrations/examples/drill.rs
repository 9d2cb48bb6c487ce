//! A restore drill from beginning to end, on a private cluster of its own:
//! `cargo run -p stockade-rls-migrations --example drill [-- --signed-off-by NAME] [--markdown FILE]`.
//!
//! Starts PostgreSQL in a temporary folder (its programs are found as the tests find them: `PG_BIN`, Debian's folders,
//! `pg_config`; as root it cannot start), protects a small schema, dumps it, restores it, compares, then damages what was
//! restored and compares again. Your own drill keeps the middle: a snapshot of the source, the restore you would do in earnest, a
//! snapshot of what came back. Exits 0 when the drill passed and the damage was found.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use stockade_rls_migrations::{Drill, Roles, Schema, by};

const TABLES: &str = "
    CREATE SCHEMA freight;
    CREATE TABLE freight.loads (tenant_id uuid NOT NULL, id int NOT NULL, name text, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.load_note (tenant_id uuid NOT NULL, id int NOT NULL, body text, PRIMARY KEY (tenant_id, id));
    INSERT INTO freight.loads SELECT gen_random_uuid(), n, 'load ' || n FROM generate_series(1, 1000) n;
    INSERT INTO freight.load_note SELECT tenant_id, id, 'note' FROM freight.loads";

/// A cluster that ends with this value.
struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    server: Child,
}

impl Cluster {
    fn start() -> Result<Self, Box<dyn Error>> {
        let programs = programs().ok_or("no initdb: set PG_BIN to the folder that holds PostgreSQL's programs")?;
        let folder = std::env::temp_dir().join(format!("stockade-drill-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let data = folder.join("data");
        let initdb = Command::new(programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()?;
        if !initdb.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&initdb.stderr).trim()).into());
        }
        let server = Command::new(programs.join("postgres"))
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(&folder)
            .arg("-D")
            .arg(&data)
            .stdout(std::fs::File::create(folder.join("log"))?)
            .stderr(std::fs::File::create(folder.join("errors"))?)
            .spawn()?;
        Ok(Self { programs, folder, server })
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        let mut attempt = PgConnection::connect(&self.url(database)).await;
        for _ in 0..100 {
            if attempt.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            attempt = PgConnection::connect(&self.url(database)).await;
        }
        attempt
    }

    fn run(&self, program: &str, arguments: &[&str], database: &str, file: &Path) -> Result<(), Box<dyn Error>> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).arg("--dbname").arg(self.url(database));
        command.args(if program == "pg_dump" { &["--file"][..] } else { &[] }).arg(file);
        let output = command.output()?;
        let failure = || format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()).into();
        output.status.success().then_some(()).ok_or_else(failure)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PG_BIN").into_iter().map(PathBuf::from).collect();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(installed.map(|entry| entry.path().join("bin")));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_dump").exists())
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let (mut who, mut markdown) = ("nobody: an example".to_owned(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or("an option needs a value")?;
        match argument.as_str() {
            "--signed-off-by" => who = value,
            "--markdown" => markdown = Some(value),
            _ => return Err(format!("unknown argument `{argument}`").into()),
        }
    }
    let schema = Schema::new("freight", Roles::for_app("freight"))
        .tenant_table("loads", by("tenant_id"))
        .append_only("load_note");
    let cluster = Cluster::start()?;
    let mut source = cluster.connect("postgres").await?;
    sqlx::raw_sql(TABLES).execute(&mut source).await?;
    schema.plan(&mut source).await?.apply(&mut source).await?;

    // The dump and the reading of the source share a snapshot, so the source may go on meanwhile.
    let dump = cluster.folder.join("freight.dump");
    let mut tx = source.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    let exported: String = sqlx::query_scalar("SELECT pg_export_snapshot()").fetch_one(&mut *tx).await?;
    cluster.run("pg_dump", &["--format=custom", "--snapshot", &exported], "postgres", &dump)?;
    let before = schema.snapshot(&mut tx).await?;
    tx.rollback().await?;

    sqlx::raw_sql("CREATE DATABASE restored TEMPLATE template0").execute(&mut source).await?;
    cluster.run("pg_restore", &["--exit-on-error"], "restored", &dump)?;
    let mut restored = cluster.connect("restored").await?;
    // What pg_dump leaves to --create: the privileges of the database. The plan puts them back.
    schema.plan(&mut restored).await?.apply(&mut restored).await?;
    let after = schema.snapshot(&mut restored).await?;

    let report = Drill::new()
        .require("the application's own check")
        .compare(&before, &after)
        .check("the application's own check", async {
            let notes: i64 = sqlx::query_scalar("SELECT count(*) FROM freight.load_note")
                .fetch_one(&mut restored)
                .await
                .map_err(|error| error.to_string())?;
            if notes == 1000 { Ok(format!("{notes} notes")) } else { Err(format!("{notes} notes of 1000")) }
        })
        .await
        .signed_off_by(who);
    let mut out = std::io::stdout();
    writeln!(out, "{report}")?;
    if let Some(file) = markdown {
        std::fs::write(file, report.to_markdown())?;
    }

    // A drill that cannot fail says nothing.
    sqlx::raw_sql("UPDATE freight.loads SET name = 'someone else''s' WHERE id = 7").execute(&mut restored).await?;
    let damaged = Drill::new().compare(&before, &schema.snapshot(&mut restored).await?);
    for found in damaged.unexpected() {
        writeln!(out, "damaged on purpose, found: {} {}", found.part, found.object)?;
    }
    let passed = report.is_green() && !damaged.is_green();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
