//! The restore drill: is what was restored what was there?
//!
//! Both databases are read into a [`Snapshot`], a plain value that can be kept beside the backup, and the two are held against each
//! other. Nothing is assumed to be equal because it could not be read: what was not compared keeps the report from being
//! green, unless somebody accepted it with a reason.

mod contents;
mod report;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

pub use report::{Check, Discrepancy, DrillReport};
pub use snapshot::{Part, Snapshot};

/// How a restored database is judged. Written with [`Drill::new`].
///
/// ```no_run
/// use stockade_rls_migrations::{Drill, Part, Schema};
///
/// # async fn verify_chains() -> Result<String, String> { Ok("3 chains".to_owned()) }
/// # async fn run(schema: Schema, source: &mut sqlx::PgConnection, restored: &mut sqlx::PgConnection)
/// # -> Result<(), stockade_rls_migrations::Error> {
/// let (source, restored) = (schema.snapshot(source).await?, schema.snapshot(restored).await?);
/// let report = Drill::new()
///     .require("audit chain")
///     .accept(Part::Grants, "database", "restored beside the original, so its privileges are not in the dump")
///     .compare(&source, &restored)
///     .check("audit chain", verify_chains())
///     .await
///     .signed_off_by("R. Jansen");
/// assert!(report.is_green(), "{report}");
/// std::fs::write("drill.md", report.to_markdown()).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Drill {
    required: BTreeSet<String>,
    accepted: BTreeMap<(Part, String), String>,
}

impl Drill {
    /// A drill that compares everything and accepts nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The report is not green until a check of this name has passed.
    pub fn require(mut self, check: impl Into<String>) -> Self {
        self.required.insert(check.into());
        self
    }

    /// What the report says about this object is expected, and why. It is still reported, and no longer counts.
    pub fn accept(mut self, part: Part, object: impl Into<String>, reason: impl Into<String>) -> Self {
        self.accepted.insert((part, object.into()), reason.into());
        self
    }

    /// Holds the restored database against its source.
    pub fn compare(self, source: &Snapshot, restored: &Snapshot) -> DrillReport {
        DrillReport::of(self, source, restored)
    }
}
