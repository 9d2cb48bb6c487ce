//! A plan as a pair of sqlx migration files.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Plan;
use crate::error::{Error, Repr};

/// Where a plan was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFiles {
    up: PathBuf,
    down: PathBuf,
}

impl MigrationFiles {
    /// The migration.
    #[must_use]
    pub fn up(&self) -> &Path {
        &self.up
    }

    /// Its way back.
    #[must_use]
    pub fn down(&self) -> &Path {
        &self.down
    }
}

impl Plan {
    /// Writes the plan as a reversible sqlx migration, `<version>_stockade_rls.up.sql` and `.down.sql`, into the folder
    /// `dir`, which must exist. The version is one above the highest there. An empty plan writes nothing and gives `None`.
    ///
    /// Uses blocking file operations.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`](crate::ErrorKind::Io). No file is overwritten.
    pub fn write_to(&self, dir: impl AsRef<Path>) -> Result<Option<MigrationFiles>, Error> {
        if self.is_empty() {
            return Ok(None);
        }
        let files = write(self, dir.as_ref()).map_err(Repr::Io)?;
        Ok(Some(files))
    }
}

fn write(plan: &Plan, dir: &Path) -> io::Result<MigrationFiles> {
    let version = next_version(dir)?;
    let stem = format!("{version:04}_stockade_rls");
    let files = MigrationFiles { up: dir.join(format!("{stem}.up.sql")), down: dir.join(format!("{stem}.down.sql")) };
    create(&files.up, &plan.up_sql())?;
    create(&files.down, &plan.down_sql()).inspect_err(|_| drop(std::fs::remove_file(&files.up)))?;
    Ok(files)
}

/// As sqlx reads the folder: the version is the number before the first underscore.
fn next_version(dir: &Path) -> io::Result<i64> {
    let mut highest = 0_i64;
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let version = name.to_str().and_then(|name| name.split_once('_')?.0.parse().ok());
        highest = highest.max(version.unwrap_or(0));
    }
    highest.checked_add(1).ok_or_else(|| io::Error::other("no version is left"))
}

fn create(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}
