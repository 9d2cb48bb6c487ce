//! What the last restore drill found. It is kept outside the database, where it outlives what it rehearses.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use stockade::rls_migrations::DrillReport;
use tempfile::NamedTempFile;

/// The file with the report of the last drill.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    folder: PathBuf,
}

/// What there is of the last drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastDrill {
    /// Nobody has drilled.
    None,
    /// It ended before there was anything to compare.
    Stopped,
    /// The file as it is; whoever can write it could have written anything.
    Reported(Vec<u8>),
}

impl Rehearsal {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("restore-drill.json")
    }

    /// Keeps the report of a drill in the place of the one before; without a report, that it stopped.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&self, report: Option<&DrillReport>) -> Result<()> {
        let text = report.map_or_else(String::new, |report| report.to_json().to_string());
        let kept = || {
            // Whoever reads meanwhile gets the one or the other, and no half of it.
            let mut whole = NamedTempFile::new_in(&self.folder)?;
            whole.write_all(text.as_bytes())?;
            whole.persist(self.file())?;
            io::Result::Ok(())
        };
        kept().context("the report of the restore drill could not be kept")
    }

    /// What the file says.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn last(&self) -> io::Result<LastDrill> {
        match fs::read(self.file()) {
            Ok(text) if text.is_empty() => Ok(LastDrill::Stopped),
            Ok(text) => Ok(LastDrill::Reported(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(LastDrill::None),
            Err(error) => Err(error),
        }
    }
}
