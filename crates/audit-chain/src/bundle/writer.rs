//! Writing a bundle, line by line.

use std::{fmt, io::Write};

use sha2::{Digest as _, Sha256};

use super::{
    BundleCheckpoint, BundleHeader, MAX_LINE,
    forgetting::{Evidence, Forgotten, place},
    line::{self, Absence, Footer},
};
use crate::{
    Content, Digest, Envelope, ErasureEvidence, Error, InclusionProof, Link, PurgeEvidence, Record, error::Repr,
};

/// Writes a bundle to a file, a buffer or a socket, in memory for one line.
///
/// ```
/// use chrono::DateTime;
/// use stockade_audit_chain::{Actor, BundleHeader, BundleVerifier, BundleWriter, ChainId, Content, Entry, Head, TenantId};
///
/// # fn main() -> Result<(), stockade_audit_chain::Error> {
/// let tenant = TenantId::from(uuid::Uuid::from_u128(7));
/// let mut head = Head::genesis(tenant, ChainId::random()?);
/// let record = Entry::new(tenant, Actor::system("import"), "load.create").record_at(DateTime::UNIX_EPOCH)?;
/// let link = head.append(record.entry_id(), record.leaf())?;
///
/// let mut bundle = BundleWriter::new(Vec::new(), &BundleHeader::new(head, DateTime::UNIX_EPOCH))?;
/// bundle.entry(&link, Content::Record(&record), None)?;
/// let bundle = bundle.finish()?;
///
/// let report = BundleVerifier::new().kept_head(head).verify(bundle.as_slice())?;
/// assert!(report.is_intact() && report.is_complete());
/// # Ok(())
/// # }
/// ```
pub struct BundleWriter<W> {
    out: W,
    hash: Sha256,
    entries: u64,
}

impl<W: Write> BundleWriter<W> {
    /// Begins a bundle.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be written.
    pub fn new(out: W, header: &BundleHeader) -> Result<Self, Error> {
        let mut writer = Self { out, hash: Sha256::new(), entries: 0 };
        writer.write(header.write()?)?;
        Ok(writer)
    }

    /// Ties the bundle to a signed checkpoint. Comes before the entries.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be written.
    pub fn checkpoint(&mut self, checkpoint: &BundleCheckpoint) -> Result<(), Error> {
        self.write(checkpoint.write()?)
    }

    /// Says what was erased, before the first entry that shows it. The entry that states it is one of the bundle's, or its
    /// place in the tree of the checkpoint is proven.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn erasure(&mut self, evidence: ErasureEvidence, proof: Option<&InclusionProof>) -> Result<(), Error> {
        self.write(Forgotten { evidence: Evidence::Erasure(evidence), place: proof.map(place) }.write()?)
    }

    /// Says what was purged, before the first entry that shows it, as [`erasure`](Self::erasure) does.
    ///
    /// # Errors
    /// As [`entry`](Self::entry).
    pub fn purge(&mut self, evidence: PurgeEvidence, proof: Option<&InclusionProof>) -> Result<(), Error> {
        self.write(Forgotten { evidence: Evidence::Purge(evidence), place: proof.map(place) }.write()?)
    }

    /// Appends a link and what is stored for it; in a filtered bundle with the proof of its place in the tree. Links come
    /// in ascending order.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidEntry`](crate::ErrorKind::InvalidEntry) if the line would be longer than a reader takes,
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be written.
    pub fn entry(&mut self, link: &Link, content: Content<'_>, proof: Option<&InclusionProof>) -> Result<(), Error> {
        let line = match content {
            Content::Bytes { envelope, openings } => {
                let record = Envelope::decode(envelope).and_then(|envelope| Record::new(envelope, openings.to_vec()));
                return match &record {
                    Ok(record) => self.entry(link, Content::Record(record), proof),
                    Err(error) => {
                        let unknown = error.unknown_format().map_or(Content::Unreadable, Content::UnknownFormat);
                        self.entry(link, unknown, proof)
                    }
                };
            }
            Content::Record(record) => line::entry(link, record, proof.map(InclusionProof::path))?,
            Content::Missing => line::absent(link, Absence::Missing)?,
            Content::Unreadable => line::absent(link, Absence::Unreadable)?,
            Content::UnknownFormat(format) => line::absent(link, Absence::Unknown(format))?,
        };
        self.entries += 1;
        self.write(line)
    }

    /// Ends the bundle. Without this it is a torn file, and a reader says so.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if it cannot be written.
    pub fn finish(mut self) -> Result<W, Error> {
        let sha256 = Digest::from(<[u8; 32]>::from(self.hash.clone().finalize()));
        self.write(Footer { entries: self.entries, sha256 }.write()?)?;
        self.out.flush().map_err(Repr::Io)?;
        Ok(self.out)
    }

    /// How many entries have been written.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// What is written to.
    pub const fn inner(&mut self) -> &mut W {
        &mut self.out
    }

    fn write(&mut self, mut line: String) -> Result<(), Error> {
        line.push('\n');
        if line.len() > MAX_LINE {
            return Err(Repr::Invalid { part: "line of a bundle", problem: "is too long" }.into());
        }
        self.hash.update(&line);
        self.out.write_all(line.as_bytes()).map_err(|error| Repr::Io(error).into())
    }
}

// A buffer that is written to holds what must not be shown.
impl<W> fmt::Debug for BundleWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BundleWriter").field("entries", &self.entries).finish_non_exhaustive()
    }
}
