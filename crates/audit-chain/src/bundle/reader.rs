//! Reading a bundle, line by line.

use std::io::{BufRead, Read as _};

use sha2::{Digest as _, Sha256};

use super::{BundleHeader, MAX_LINE, header, line::Line};
use crate::{Digest, Error, Head, error::Repr};

/// The lines of a bundle, in memory for one of them.
pub(super) struct Reader<R> {
    input: R,
    /// Over every line before the last one that was read.
    hash: Sha256,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, hash: Sha256::new(), line: Vec::new(), number: 0 }
    }

    pub(super) fn header(&mut self) -> Result<BundleHeader, Error> {
        let text = self.text()?;
        let header = text.and_then(|text| match header::version(text) {
            Some(version) if !header::is_known(version) => Some(Err(version)),
            _ => BundleHeader::read(text).map(Ok),
        });
        match header {
            Some(Ok(header)) => Ok(header),
            Some(Err(version)) => Err(Repr::UnknownBundle(version).into()),
            None => Err(self.problem("is not the header of a bundle")),
        }
    }

    pub(super) fn next(&mut self, head: &Head) -> Result<Line, Error> {
        let line = self.text()?.and_then(|text| Line::read(text, head));
        line.ok_or_else(|| self.problem(if self.line.is_empty() { "is missing" } else { "is not as a bundle has it" }))
    }

    /// Demands that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        match self.input.fill_buf().map_err(Repr::Io)? {
            [] => Ok(()),
            _ => Err(self.problem("is not the last")),
        }
    }

    /// The SHA-256 of everything before the last line that was read.
    pub(super) fn digest(&self) -> Digest {
        <[u8; 32]>::from(self.hash.clone().finalize()).into()
    }

    /// That the last line is not what it has to be.
    pub(super) fn problem(&self, problem: &'static str) -> Error {
        Repr::Line { number: self.number, problem }.into()
    }

    /// The next line without its line feed; `None` if there is none, or none that is text and ends in time.
    fn text(&mut self) -> Result<Option<&str>, Error> {
        self.hash.update(&self.line);
        self.line.clear();
        self.number += 1;
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        self.input.by_ref().take(limit).read_until(b'\n', &mut self.line).map_err(Repr::Io)?;
        Ok(self.line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()))
    }
}
