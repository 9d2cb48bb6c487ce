//! Where checkpoints are kept that the database's administrators cannot reach.

use std::{
    error::Error as StdError,
    fs::{File, OpenOptions},
    future::ready,
    io::{self, Read, Seek, SeekFrom, Write as _},
    path::PathBuf,
};

use super::Publication;

/// Why an anchor could not be written or read.
pub type AnchorError = Box<dyn StdError + Send + Sync>;

/// Keeps publications outside the audited database, in hands of their own: another machine, another administrator, storage
/// that can be written once.
///
/// An implementation over HTTP is two requests of whatever client the application has: `POST` the publication's text, `GET`
/// the last one and parse it.
pub trait Anchor {
    /// Keeps a publication durably. One that is kept already, byte for byte, is kept; an anchor that can compare refuses another
    /// one of the same or of a lower [size](Publication::size).
    ///
    /// # Errors
    /// Whatever keeps it from being kept. It is published again later.
    fn publish(&self, publication: &Publication) -> impl Future<Output = Result<(), AnchorError>> + Send;

    /// The publication of the largest size; `None` if nothing was ever published. Its signature is checked by the caller.
    ///
    /// # Errors
    /// Whatever keeps it from being read. Not being able to tell is an error, never `None`.
    fn fetch_latest(&self) -> impl Future<Output = Result<Option<Publication>, AnchorError>> + Send;
}

/// An append-only file with a publication in each line, flushed to the disk before it is acknowledged.
///
/// For a mounted share, a disk of another machine, or a file with the append-only attribute (`chattr +a`). Grows by about 150
/// bytes for each tenant and checkpoint, of which only the end is read; begin a new one with the last line of the old. A line that was
/// torn off by a crash is passed over. Its calls block for the time of the disk's flush.
#[derive(Clone, Debug)]
pub struct FileAnchor {
    path: PathBuf,
}

impl FileAnchor {
    /// The file at this path, which the first publication creates.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn append(&self, publication: &Publication) -> Result<(), AnchorError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        // Two writers would otherwise both find their line to be the next.
        file.lock()?;
        let text = publication.to_string();
        if let Some(last) = last(&file)? {
            if last.to_string() == text {
                return Ok(());
            }
            if last.size() >= publication.size() {
                return Err("the anchor holds another checkpoint of this size or a later one".into());
            }
        }
        let torn = ends_torn(&mut file)?;
        let line = [if torn { "\n" } else { "" }, &text, "\n"].concat();
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        // The file's name is in its directory, which is another thing to flush.
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all()?,
            _ => {}
        }
        Ok(())
    }

    fn read(&self) -> Result<Option<Publication>, AnchorError> {
        match File::open(&self.path) {
            Ok(file) => Ok(last(&file)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Anchor for FileAnchor {
    fn publish(&self, publication: &Publication) -> impl Future<Output = Result<(), AnchorError>> + Send {
        ready(self.append(publication))
    }

    fn fetch_latest(&self) -> impl Future<Output = Result<Option<Publication>, AnchorError>> + Send {
        ready(self.read())
    }
}

/// How much of the end of the file is looked at first.
const END: u64 = 64 << 10;

/// The last line that is a publication. Reads from the end, because the file grows for as long as the log does.
fn last<F: Read + Seek>(mut file: F) -> io::Result<Option<Publication>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut wanted = END;
    loop {
        let start = length.saturating_sub(wanted);
        file.seek(SeekFrom::Start(start))?;
        let mut end = Vec::new();
        file.by_ref().take(length - start).read_to_end(&mut end)?;
        let mut lines = end.split(|byte| *byte == b'\n');
        if start > 0 {
            // It may have begun before.
            lines.next();
        }
        let found = lines.rev().find_map(|line| std::str::from_utf8(line).ok()?.parse().ok());
        if found.is_some() || start == 0 {
            return Ok(found);
        }
        wanted = wanted.saturating_mul(4);
    }
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut end = [0];
    file.read_exact(&mut end)?;
    Ok(end != *b"\n")
}

#[cfg(test)]
mod tests;
