//! A page of rows: read, sealed in memory, written.

use sqlx::PgConnection;
use zeroize::Zeroizing;

use crate::error::{Error, Retry};
use crate::id::{KeyId, TenantId};
use crate::postgres::failure::{row_refusal, store_error};
use crate::postgres::rewriter::job::Kind;
use crate::postgres::rewriter::report::{JobReport, RowFailure, RowFailureReason};
use crate::postgres::row_key::RowKey;
use crate::postgres::site::{Layout, NewValue, SealedSite};
use crate::tenant_keys::TenantKeys;

/// A row with the content that it had: a sealed value or, in a backfill, a plain text.
pub(crate) struct Row {
    pub(crate) key: String,
    content: Zeroizing<Vec<u8>>,
}

/// A row with what is to be its content.
pub(crate) struct Change {
    row: Row,
    id: RowKey,
    new: NewValue,
}

/// The keys that a job seals under.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) sealing: KeyId,
    pub(crate) indexing: Option<KeyId>,
}

pub(crate) enum Written {
    Rows(u64),
    /// The table refuses one of the rows. The transaction is broken.
    Refused(RowFailureReason),
}

const PAGE: &str =
    "SELECT row_key, content FROM stockade.field_page($1::text::regclass, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const WRITE: &str = "SELECT stockade.field_write($1::text::regclass, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

impl Kind {
    /// The column that a job of this kind reads, if it is not the sealed one.
    const fn plain(self, layout: &Layout) -> Option<&'static str> {
        match self {
            Self::Rewrite => None,
            Self::Backfill => layout.plain,
        }
    }
}

/// The next rows that need work.
pub(crate) async fn page(
    connection: &mut PgConnection,
    (kind, layout, tenant): (Kind, &Layout, TenantId),
    target: Target,
    after: Option<&str>,
    rows: u32,
) -> Result<Vec<Row>, Error> {
    let found: Vec<(String, Vec<u8>)> = sqlx::query_as(PAGE)
        .bind(layout.table)
        .bind(layout.key)
        .bind(layout.tenant)
        .bind(layout.sealed)
        .bind(kind.plain(layout))
        .bind(&layout.indexes)
        .bind(tenant.as_uuid())
        .bind(i64::from(target.sealing.as_u32()))
        .bind(target.indexing.map(|key| i64::from(key.as_u32())))
        .bind(after)
        .bind(i64::from(rows))
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    Ok(found.into_iter().map(|(key, content)| Row { key, content: Zeroizing::new(content) }).collect())
}

/// Seals a page. Rows that cannot be sealed go into the report.
pub(crate) fn seal(
    site: &dyn SealedSite,
    keys: &TenantKeys,
    kind: Kind,
    rows: Vec<Row>,
    report: &mut JobReport,
) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let id =
            RowKey::parse(&row.key).ok_or_else(|| Error::store("a row has a key of an unknown type", Retry::Never))?;
        let (new, reason) = match kind {
            Kind::Rewrite => (site.reseal(keys, id, row.content.to_vec())?, RowFailureReason::DoesNotOpen),
            Kind::Backfill => (site.seal(keys, id, row.content.clone())?, RowFailureReason::NotPlain),
        };
        match new {
            Some(new) => changes.push(Change { row, id, new }),
            None => report.fail(failure(site.layout(), id, reason)),
        }
    }
    Ok(changes)
}

/// Writes rows whose content still is what was read.
pub(crate) async fn write(
    connection: &mut PgConnection,
    (kind, layout, tenant): (Kind, &Layout, TenantId),
    changes: &[Change],
) -> Result<Written, Error> {
    if changes.is_empty() {
        return Ok(Written::Rows(0));
    }
    let row_keys: Vec<&str> = changes.iter().map(|change| &*change.row.key).collect();
    let contents: Vec<&[u8]> = changes.iter().map(|change| &**change.row.content).collect();
    let sealed: Vec<&[u8]> = changes.iter().map(|change| &*change.new.sealed).collect();
    let tags: Vec<Option<&[u8]>> = (0..layout.indexes.len())
        .flat_map(|index| changes.iter().map(move |change| change.new.tags.get(index)?.as_deref()))
        .collect();
    let written: Result<i64, sqlx::Error> = sqlx::query_scalar(WRITE)
        .bind(layout.table)
        .bind(layout.key)
        .bind(layout.tenant)
        .bind(layout.sealed)
        .bind(kind.plain(layout))
        .bind(&layout.indexes)
        .bind(tenant.as_uuid())
        .bind(row_keys)
        .bind(contents)
        .bind(sealed)
        .bind(tags)
        .fetch_one(connection)
        .await;
    match written {
        Ok(written) => Ok(Written::Rows(u64::try_from(written).unwrap_or(0))),
        Err(error) => row_refusal(&error).map(Written::Refused).ok_or_else(|| store_error(error)),
    }
}

impl Change {
    pub(crate) fn failure(&self, layout: &Layout, reason: RowFailureReason) -> RowFailure {
        failure(layout, self.id, reason)
    }
}

const fn failure(layout: &Layout, row: RowKey, reason: RowFailureReason) -> RowFailure {
    RowFailure { table: layout.table, column: layout.sealed, row, reason }
}
