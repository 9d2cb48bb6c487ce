//! A PostgreSQL of a test's own, durable, that can crash.

use std::{
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

pub(crate) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    pub(crate) async fn create() -> Self {
        let folder = std::env::temp_dir().join(format!("stockade-audit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        if let Some(user) = unprivileged() {
            std::os::unix::fs::chown(&folder, Some(user), None).unwrap();
        }
        let cluster = Self { programs: programs(), folder };
        cluster.run("initdb", &["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        cluster.start().await;
        cluster
    }

    /// Starts it without anybody who would write WAL for others: what reaches the disk does so because somebody waited for it.
    pub(crate) async fn start(&self) {
        let folder = self.folder.display();
        let options = format!(
            "-c listen_addresses= -c wal_writer_delay=10000 -c wal_writer_flush_after=1GB -c bgwriter_lru_maxpages=0 -c autovacuum=off -k {folder}"
        );
        self.run("pg_ctl", &["start", "-w", "-l", &format!("{folder}/log"), "-o", &options]);
        let mut attempt = PgConnection::connect_with(&self.options("postgres")).await;
        for _ in 0..100 {
            if attempt.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            attempt = PgConnection::connect_with(&self.options("postgres")).await;
        }
        attempt.unwrap().close().await.unwrap();
    }

    /// Ends every process of it at once. What was in shared memory is gone.
    pub(crate) fn crash(&self) {
        self.run("pg_ctl", &["stop", "-w", "-m", "immediate"]);
    }

    pub(crate) fn options(&self, role: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(&self.folder).port(5432).username(role).database("postgres")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).arg("-D").arg(self.folder.join("data")).current_dir(&self.folder);
        command.env_remove("PGPORT").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(user) = unprivileged() {
            command.uid(user);
        }
        assert!(command.status().unwrap().success(), "{program} {arguments:?} failed, see {}", self.folder.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.crash();
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

/// PostgreSQL does not run as root.
fn unprivileged() -> Option<u32> {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let users = root.then(|| std::fs::read_to_string("/etc/passwd").unwrap())?;
    let id = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    };
    id("postgres").or_else(|| id("nobody"))
}

fn programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = std::env::var_os("PG_BIN").into_iter().map(PathBuf::from).collect();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(installed.map(|entry| entry.path().join("bin")));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let found = folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists());
    found.unwrap_or_else(|| panic!("no initdb: set PG_BIN to the folder of PostgreSQL's programs, or use scripts/test"))
}
