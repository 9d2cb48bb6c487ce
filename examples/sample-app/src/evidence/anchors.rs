//! Where checkpoints are kept: a file, and a second PostgreSQL if there is one.

use std::path::PathBuf;

use anyhow::{Context, Result};
use sqlx::{PgPool, raw_sql};
use stockade::audit_chain::{Anchor, AnchorError, FileAnchor, Publication, postgres::PgAnchor};

use crate::database::{login, pool_options};

/// Every anchor of this installation. A checkpoint is kept when each of them has it.
#[derive(Clone, Debug)]
pub struct Anchors {
    file: FileAnchor,
    path: PathBuf,
    second: Option<PgAnchor>,
}

impl Anchors {
    pub(super) async fn open(path: PathBuf, url: Option<&str>, origin: &str) -> Result<Self> {
        let second = match url {
            Some(url) => {
                let pool = pool_options(1).connect_lazy_with(login("ANCHOR_DATABASE_URL", url)?);
                install(&pool).await.context("the PostgreSQL at ANCHOR_DATABASE_URL cannot be used")?;
                Some(PgAnchor::new(pool, origin))
            }
            None => None,
        };
        Ok(Self { file: FileAnchor::new(&path), path, second })
    }

    /// What kinds of anchors there are. Where they are is the operator's matter.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self.second {
            Some(_) => "a file and a second PostgreSQL",
            None => "a file",
        }
    }

    /// Where they are, for the operator.
    #[must_use]
    pub fn describe(&self) -> String {
        let second = if self.second.is_some() { ", and a second PostgreSQL" } else { "" };
        format!("{}{second}", self.path.display())
    }
}

/// The table of the second anchor. In a deployment its own administrator makes it, once.
async fn install(pool: &PgPool) -> Result<()> {
    let there: bool =
        sqlx::query_scalar("SELECT to_regclass('stockade_anchor.publication') IS NOT NULL").fetch_one(pool).await?;
    if !there {
        raw_sql(PgAnchor::SCHEMA).execute(pool).await?;
    }
    Ok(())
}

impl Anchor for Anchors {
    async fn publish(&self, publication: &Publication) -> Result<(), AnchorError> {
        self.file.publish(publication).await?;
        match &self.second {
            Some(second) => second.publish(publication).await,
            None => Ok(()),
        }
    }

    async fn fetch_latest(&self) -> Result<Option<Publication>, AnchorError> {
        let kept = self.file.fetch_latest().await?;
        let Some(second) = &self.second else { return Ok(kept) };
        let size = |kept: &Option<Publication>| kept.as_ref().map_or(0, Publication::size);
        let other = second.fetch_latest().await?;
        if size(&kept) == size(&other) && kept != other {
            return Err("the anchors hold different checkpoints of one size".into());
        }
        // One that was added later, or missed the last, has less: it gets the next.
        Ok(if size(&kept) >= size(&other) { kept } else { other })
    }
}
