//! Whether what was sealed is what was there before.

use zeroize::Zeroizing;

use crate::error::{Error, Retry};
use crate::id::TenantId;
use crate::postgres::columns::SealedColumns;
use crate::postgres::failure::store_error;
use crate::postgres::row_key::RowKey;
use crate::postgres::scope::TenantScope;
use crate::postgres::site::SealedSite;
use crate::tenant_keys::TenantKeys;

/// What a comparison of plain texts with their sealed values has found, over all columns of one tenant that have both.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BackfillCheck {
    /// Rows whose sealed value opens to the plain text.
    pub equal: u64,
    /// Rows whose sealed value does not open, or to something else: the plain text was changed after it was sealed.
    pub differing: u64,
    /// The first hundred of them.
    pub rows: Vec<RowKey>,
    /// Rows with a plain text and no sealed value.
    pub unsealed: u64,
}

const LISTED: usize = 100;
const PAGE: i64 = 1000;
const PAIRS: &str =
    "SELECT row_key, plain, content FROM stockade.field_pairs($1::text::regclass, $2, $3, $4, $5, $6, $7, $8)";

impl BackfillCheck {
    /// Whether the plain column can go: everything in it is sealed, and to the same.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.differing == 0 && self.unsealed == 0
    }
}

impl SealedColumns {
    /// Opens every value of a tenant that stands beside a plain text and compares them, before the plain column is dropped.
    /// To be run when the application writes sealed values only, or both in one statement.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) if the database fails.
    pub async fn verify_backfill<T: TenantScope>(&self, keys: &TenantKeys, scope: &T) -> Result<BackfillCheck, Error> {
        let mut check = BackfillCheck::default();
        for site in self.sites().filter(|site| site.layout().plain.is_some()) {
            let mut after = None;
            while let Some(last) = compare(&**site, keys, scope, after.as_deref(), &mut check).await? {
                after = Some(last);
            }
            let mut transaction = scope.begin(keys.tenant()).await?;
            let coverage = Self::of_site(site).coverage(&mut transaction).await?;
            let own = |tenant: TenantId| tenant == keys.tenant();
            let tenants = coverage.iter().flat_map(|column| &column.tenants);
            check.unsealed += tenants.filter(|rows| own(rows.tenant)).map(|rows| rows.plain).sum::<u64>();
        }
        Ok(check)
    }
}

/// Compares a page of rows, and returns the key of its last row.
async fn compare<T: TenantScope>(
    site: &dyn SealedSite,
    keys: &TenantKeys,
    scope: &T,
    after: Option<&str>,
    check: &mut BackfillCheck,
) -> Result<Option<String>, Error> {
    let layout = site.layout();
    let mut transaction = scope.begin(keys.tenant()).await?;
    let rows: Vec<(String, Vec<u8>, Vec<u8>)> = sqlx::query_as(PAIRS)
        .bind(layout.table)
        .bind(layout.key)
        .bind(layout.tenant)
        .bind(layout.sealed)
        .bind(layout.plain)
        .bind(keys.tenant().as_uuid())
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *transaction)
        .await
        .map_err(store_error)?;
    let mut last = None;
    for (key, plain, stored) in rows {
        let row =
            RowKey::parse(&key).ok_or_else(|| Error::store("a row has a key of an unknown type", Retry::Never))?;
        if site.matches(keys, row, stored, &Zeroizing::new(plain)) {
            check.equal += 1;
        } else {
            check.differing += 1;
            if check.rows.len() < LISTED {
                check.rows.push(row);
            }
        }
        last = Some(key);
    }
    Ok(last)
}
