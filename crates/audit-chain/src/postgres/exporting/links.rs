//! Bundles, link by link.

use std::mem;

use chrono::Utc;
use sqlx::{Executor, Postgres, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::request::{ExportRequest, What};
use crate::{
    BundleHeader, BundleWriter, Digest, Error, Head, InclusionProof, Link, TenantId,
    error::Repr,
    postgres::{
        Filter,
        columns::{self, entry_columns},
        evidence::{Evidence, Found},
        prove_consistency, prove_inclusion,
        searching::matches_filter,
        tree,
        verification::{digest, read_head},
    },
    store::Stored,
};

/// The links of a bundle that have not been written yet.
pub(super) struct Links {
    tenant: TenantId,
    filter: Filter,
    /// Whether the filter is the caller's, so that each entry has to be proven by itself.
    chosen: bool,
    /// The size of the tree that the checkpoint vouches for.
    attested: Option<u64>,
    evidence: Evidence,
    after: u64,
    last: u64,
    /// `None` behind the footer.
    bundle: Option<BundleWriter<Vec<u8>>>,
}

const HEAD: &str = "SELECT h.chain_id, h.seq, h.hash FROM stockade.audit_head h WHERE h.tenant_id = $1";

const HASH: &str = "SELECT l.hash FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.seq = $2";

const PLACE: &str = "SELECT l.seq FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.entry_id = $2";

const PAGE: usize = 256;

const LINKS: &str = concat!(
    "SELECT l.seq AS link_seq, l.entry_id AS link_entry, l.prev, l.leaf AS link_leaf, l.hash,
        p.field_values, p.salts, ",
    entry_columns!(),
    " FROM stockade.audit_link l
    LEFT JOIN stockade.audit_entry e ON e.entry_id = l.entry_id
    LEFT JOIN stockade.audit_payload p ON p.entry_id = l.entry_id AND p.tenant_id = l.tenant_id
    WHERE l.tenant_id = $1 ",
    matches_filter!(),
    " AND l.seq > $9 AND l.seq <= $10
    ORDER BY l.seq LIMIT 256"
);

impl Links {
    pub(super) async fn open<E>(executor: &mut E, request: &ExportRequest) -> Result<Self, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let tenant = request.tenant();
        let nothing = || Error::from(Repr::Malformed("no such entries are sealed"));
        let row = sqlx::query(HEAD).bind(Uuid::from(tenant)).fetch_optional(&mut *executor).await?;
        let head = row.and_then(|row| read_head(tenant, &row)).ok_or_else(nothing)?;
        let attested = request.checkpoint.as_ref().map(|checkpoint| checkpoint.head().head);

        let (first, last) = match (&request.what, attested) {
            (What::Range(_, Some(range)), _) => (*range.start(), *range.end()),
            // A choice is proven within the tree that somebody vouches for.
            (What::Choice(_), Some(attested)) => (1, attested.seq),
            _ => (1, head.seq),
        };
        // Only the bundle of everything can be empty: that of a log in which nothing is sealed yet.
        let empty = first > last && matches!(request.what, What::Range(_, Some(_)));
        if first == 0 || last > head.seq || empty {
            return Err(nothing());
        }
        let end = Head { seq: last, hash: hash(executor, &head, last).await?, ..head };
        let mut header = BundleHeader::new(end, Utc::now());
        if first > 1 {
            let before = hash(executor, &head, first - 1).await?;
            header = header.after(before, tree(&mut *executor, tenant, first - 1).await?);
        }
        let filter = match (&request.what, request.words()) {
            (What::Choice(filter), Some(words)) => {
                header = header.filtered(words);
                filter.clone()
            }
            _ => Filter::new(tenant),
        };
        let chosen = header.filter().is_some();

        let mut bundle = BundleWriter::new(Vec::new(), &header)?;
        if let Some(checkpoint) = request.checkpoint.clone() {
            let attested = checkpoint.head().head.seq;
            let checkpoint = if attested > last {
                checkpoint.extended_by(prove_consistency(&mut *executor, tenant, last, attested).await?)
            } else {
                checkpoint
            };
            bundle.checkpoint(&checkpoint)?;
        }
        let (attested, evidence) = (attested.map(|attested| attested.seq), Evidence::new(tenant));
        Ok(Self { tenant, filter, chosen, attested, evidence, after: first - 1, last, bundle: Some(bundle) })
    }

    pub(super) async fn next<E>(&mut self, executor: &mut E) -> Result<Option<(u64, Vec<u8>)>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let Some(mut bundle) = self.bundle.take() else { return Ok(None) };
        let before = bundle.entries();
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let query = self.filter.bind(sqlx::query(LINKS)).bind(number(self.after)).bind(number(self.last));
        let page = query.persistent(false).fetch_all(&mut *executor).await?;
        let mut links = Vec::with_capacity(page.len());
        for row in &page {
            links.push((link(self.tenant, row)?, columns::stored(row)));
        }
        self.explain(executor, &mut bundle, &links).await?;
        for (link, stored) in links {
            let proof = match self.attested.filter(|_| self.chosen) {
                Some(size) => Some(prove_inclusion(&mut *executor, self.tenant, link.seq, size).await?),
                None => None,
            };
            bundle.entry(&link, stored.content(), proof.as_ref())?;
            self.after = link.seq;
        }
        let entries = bundle.entries() - before;
        if page.len() < PAGE {
            return Ok(Some((entries, bundle.finish()?)));
        }
        let bytes = mem::take(bundle.inner());
        self.bundle = Some(bundle);
        Ok(Some((entries, bytes)))
    }

    /// Writes the evidence for what is gone from these links.
    async fn explain<E>(
        &mut self,
        executor: &mut E,
        bundle: &mut BundleWriter<Vec<u8>>,
        links: &[(Link, Stored)],
    ) -> Result<(), Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        for found in self.evidence.find(&mut *executor, links, |_| true).await? {
            let entry_id = match &found {
                Found::Erasure(evidence) => evidence.record().entry_id(),
                Found::Purge(evidence) => evidence.record().entry_id(),
            };
            let proof = self.prove(&mut *executor, entry_id).await?;
            match found {
                Found::Erasure(evidence) => bundle.erasure(evidence, proof.as_ref())?,
                Found::Purge(evidence) => bundle.purge(evidence, proof.as_ref())?,
            }
        }
        Ok(())
    }

    /// The place of an entry that the bundle itself does not hold, if the checkpoint's tree does.
    async fn prove<E>(&self, executor: &mut E, entry_id: Uuid) -> Result<Option<InclusionProof>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let Some(size) = self.attested else { return Ok(None) };
        let place = sqlx::query_scalar(PLACE).bind(Uuid::from(self.tenant)).bind(entry_id);
        let place: Option<i64> = place.fetch_optional(&mut *executor).await?;
        match place.map(i64::unsigned_abs).filter(|seq| *seq <= size) {
            Some(seq) => prove_inclusion(executor, self.tenant, seq, size).await.map(Some),
            None => Ok(None),
        }
    }
}

fn link(tenant: TenantId, row: &PgRow) -> Result<Link, Error> {
    let entry_id = row.try_get("link_entry")?;
    // A constraint of the table holds numbers above zero; one that is not is a link that verification names.
    let seq = u64::try_from(row.try_get::<i64, _>("link_seq")?).unwrap_or(0);
    let [prev, leaf, hash] = ["prev", "link_leaf", "hash"].map(|column| digest(row, column));
    Ok(Link { tenant, seq, entry_id, prev, leaf, hash })
}

/// The hash of the link with this number.
async fn hash<E>(executor: &mut E, head: &Head, seq: u64) -> Result<Digest, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    if seq == head.seq {
        return Ok(head.hash);
    }
    if seq == 0 {
        return Ok(Head::genesis(head.tenant, head.chain).hash);
    }
    let query = sqlx::query(HASH).bind(Uuid::from(head.tenant)).bind(i64::try_from(seq).unwrap_or(i64::MAX));
    let row = query.fetch_optional(executor).await?;
    let row = row.ok_or(Repr::Malformed("the log has no such link"))?;
    Ok(digest(&row, "hash"))
}
