//! Bundles: a tenant's entries in a file that an outsider can verify.

use std::{
    io::{self, Write},
    ops::RangeInclusive,
};

use chrono::Utc;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, SqliteConnection};
use uuid::Uuid;

use super::{appending::record, erasing, purging, verification};
use crate::{
    Actor, BundleCheckpoint, BundleHeader, BundleWriter, ConsistencyProof, Digest, ErasureEvidence, Error, Frontier,
    Head, InclusionProof, Link, Publication, PurgeEvidence, TenantId,
    error::Repr,
    merkle::Levels,
    store::{Stored, exported},
};

/// A [bundle](crate::bundle) of a tenant's entries, to be written to a file.
#[derive(Clone, Debug)]
pub struct BundleExport {
    tenant: TenantId,
    actor: Actor,
    range: Option<RangeInclusive<u64>>,
    checkpoint: Option<BundleCheckpoint>,
}

const LEAVES: &str = "
SELECT l.leaf FROM main.stockade_audit_link l WHERE l.tenant_id = ?1 AND l.seq <= ?2 ORDER BY l.seq";

const PLACE: &str = "SELECT l.seq FROM main.stockade_audit_link l WHERE l.tenant_id = ?1 AND l.entry_id = ?2";

impl BundleExport {
    /// Everything, for whoever asked: with a checkpoint up to the signed head, without one up to the end.
    #[must_use]
    pub const fn new(tenant: TenantId, actor: Actor) -> Self {
        Self { tenant, actor, range: None, checkpoint: None }
    }

    /// Every entry with these numbers, which proves that none was left out.
    #[must_use]
    pub const fn range(mut self, entries: RangeInclusive<u64>) -> Self {
        self.range = Some(entries);
        self
    }

    /// Ties the bundle to a signed checkpoint, if that commits to a head of the tenant.
    ///
    /// # Errors
    /// [`Malformed`](crate::ErrorKind::Malformed) if the parts of the publication do not belong together.
    pub fn attested_by(mut self, publication: &Publication) -> Result<Self, Error> {
        let proof = publication.prove_head(self.tenant)?;
        self.checkpoint = proof.map(|proof| BundleCheckpoint::new(publication.note().clone(), proof));
        Ok(self)
    }

    /// Records the announcement, writes the bundle as of one moment, and records how much was written, with its SHA-256. The
    /// connection is in no transaction; writers wait for no more than in [`verify`](super::verify).
    ///
    /// Needs memory for a page of entries and 64 bytes for each link up to the end, and blocks while `out` does.
    ///
    /// # Errors
    /// [`Malformed`](crate::ErrorKind::Malformed) if there are no such entries, [`Io`](crate::ErrorKind::Io) if `out` fails,
    /// [`Refused`](crate::ErrorKind::Refused) inside a transaction, and the errors of the connection.
    pub async fn write<W: Write + Send>(self, connection: &mut SqliteConnection, out: W) -> Result<W, Error> {
        if connection.is_in_transaction() {
            return Err(Repr::Savepoint.into());
        }
        let wanted = match &self.range {
            Some(range) => json!({"format": "bundle", "from": range.start(), "to": range.end()}),
            None => json!({"format": "bundle"}),
        };
        let entry = exported::announcement(self.tenant, self.actor.clone(), wanted);
        let announced = record(&mut *connection, &entry).await?.entry_id;
        let mut moment = connection.begin().await?;
        let filled = self.fill(&mut moment, Hashing { out, hash: Sha256::new() }).await;
        // Nothing was written; dropped, it would be in the way of the connection's next use.
        moment.rollback().await?;
        let (entries, out) = filled?;
        let sha256 = Digest::from(<[u8; 32]>::from(out.hash.finalize()));
        let done = exported::completion(self.tenant, self.actor, announced, entries, sha256);
        record(connection, &done).await?;
        Ok(out.out)
    }

    async fn fill<W: Write + Send>(&self, moment: &mut SqliteConnection, out: W) -> Result<(u64, W), Error> {
        let nothing = || Error::from(Repr::Malformed("no such entries are sealed"));
        let head = verification::head(moment, self.tenant).await?.ok_or_else(nothing)?;
        let attested = self.checkpoint.as_ref().map(|checkpoint| checkpoint.head().head.seq);
        let (first, last) = match &self.range {
            Some(range) => (*range.start(), *range.end()),
            None => (1, attested.unwrap_or(head.seq)),
        };
        if first == 0 || first > last || attested.unwrap_or(last).max(last) > head.seq {
            return Err(nothing());
        }
        let leaves = leaves(moment, self.tenant, attested.unwrap_or(last).max(last)).await?;
        let mut header = BundleHeader::new(link_head(moment, head, last).await?, Utc::now());
        if first > 1 {
            let mut before = Frontier::new();
            for leaf in leaves.iter().zip(1..first) {
                before.push(*leaf.0)?;
            }
            header = header.after(link_head(moment, head, first - 1).await?.hash, before);
        }
        let mut bundle = BundleWriter::new(out, &header)?;
        let tree = attested.map(|size| (size, Levels::new(leaves)));
        if let (Some(checkpoint), Some((size, tree))) = (self.checkpoint.clone(), &tree) {
            bundle.checkpoint(&match *size > last {
                true => checkpoint.extended_by(ConsistencyProof::new(last, *size, |node| tree.hash(node))?),
                false => checkpoint,
            })?;
        }
        let mut evidence = Evidence::read(moment, self.tenant, tree).await?;
        let mut after = (i64::try_from(first - 1).unwrap_or(i64::MAX), vec![0xff; 16]);
        'pages: loop {
            let (page, next) = verification::page(moment, self.tenant, after).await?;
            for (link, stored) in page {
                let Ok(link) = link else { continue };
                if link.seq > last {
                    break 'pages;
                }
                evidence.explain(&mut bundle, &link, &stored)?;
                bundle.entry(&link, stored.content(), None)?;
            }
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        let entries = bundle.entries();
        Ok((entries, bundle.finish()?))
    }
}

/// What was forgotten, as far as it has not been written yet, with the place of the entry that states it.
struct Evidence {
    erasures: Vec<(ErasureEvidence, Option<InclusionProof>)>,
    purges: Vec<(PurgeEvidence, Option<InclusionProof>)>,
}

impl Evidence {
    async fn read(moment: &mut SqliteConnection, tenant: TenantId, tree: Option<(u64, Levels)>) -> Result<Self, Error> {
        let (mut erasures, mut purges) = (Vec::new(), Vec::new());
        for evidence in erasing::evidence(moment, tenant).await? {
            let place = place(moment, tenant, evidence.record().entry_id(), tree.as_ref()).await?;
            erasures.push((evidence, place));
        }
        for evidence in purging::evidence(moment, tenant).await? {
            let place = place(moment, tenant, evidence.record().entry_id(), tree.as_ref()).await?;
            purges.push((evidence, place));
        }
        Ok(Self { erasures, purges })
    }

    /// Writes what covers something that is gone from this link, once.
    fn explain<W: Write>(&mut self, bundle: &mut BundleWriter<W>, link: &Link, stored: &Stored) -> Result<(), Error> {
        match stored {
            Stored::Record(record) if record.is_blanked() => {
                let covers = |(evidence, _): &mut (ErasureEvidence, _)| {
                    evidence.values().iter().any(|value| value.entry_id == link.entry_id)
                };
                for (evidence, place) in self.erasures.extract_if(.., covers) {
                    bundle.erasure(evidence, place.as_ref())?;
                }
            }
            Stored::Missing => {
                let covers = |(evidence, _): &mut (PurgeEvidence, _)| {
                    evidence.ranges().iter().any(|range| (range.first..=range.last).contains(&link.seq))
                };
                for (evidence, place) in self.purges.extract_if(.., covers) {
                    bundle.purge(evidence, place.as_ref())?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

async fn place(
    moment: &mut SqliteConnection,
    tenant: TenantId,
    entry_id: Uuid,
    tree: Option<&(u64, Levels)>,
) -> Result<Option<InclusionProof>, Error> {
    let Some((size, tree)) = tree else { return Ok(None) };
    let seq = sqlx::query_scalar(PLACE).bind(Uuid::from(tenant)).bind(entry_id);
    let seq: Option<i64> = seq.fetch_optional(moment).await?;
    let index = seq.and_then(|seq| u64::try_from(seq).ok()?.checked_sub(1)).filter(|index| index < size);
    index.map(|index| InclusionProof::new(index, *size, |node| tree.hash(node))).transpose()
}

/// The head that the chain had at this number.
async fn link_head(moment: &mut SqliteConnection, head: Head, seq: u64) -> Result<Head, Error> {
    if seq == head.seq {
        return Ok(head);
    }
    let hash = "SELECT l.hash FROM main.stockade_audit_link l WHERE l.tenant_id = ?1 AND l.seq = ?2";
    let hash = sqlx::query_scalar(hash).bind(Uuid::from(head.tenant)).bind(i64::try_from(seq).unwrap_or(i64::MAX));
    let hash: Option<Vec<u8>> = hash.fetch_optional(moment).await?;
    let hash = hash.ok_or(Repr::Malformed("the log has no such link"))?;
    Ok(Head { seq, hash: Digest::try_from(hash.as_slice())?, ..head })
}

async fn leaves(moment: &mut SqliteConnection, tenant: TenantId, size: u64) -> Result<Vec<Digest>, Error> {
    let rows = sqlx::query_scalar(LEAVES).bind(Uuid::from(tenant)).bind(i64::try_from(size).unwrap_or(i64::MAX));
    let rows: Vec<Vec<u8>> = rows.fetch_all(moment).await?;
    if u64::try_from(rows.len()).ok() != Some(size) {
        return Err(Repr::Malformed("the log has no such entries").into());
    }
    rows.iter().map(|leaf| Digest::try_from(leaf.as_slice())).collect()
}

/// Passes bytes on, and hashes them.
struct Hashing<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
