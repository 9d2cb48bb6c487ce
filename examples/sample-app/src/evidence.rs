//! What lies outside the database, so that whoever rules the database cannot rewrite the audit log unseen: the key that signs
//! checkpoints, the anchors that keep them, and the report of the last restore drill.

mod anchors;
mod key;
mod rehearsal;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use stockade::audit_chain::LocalSigner;
use tempfile::TempDir;

pub use anchors::Anchors;
pub use key::SIGNING_KEY;
pub use rehearsal::{LastDrill, Rehearsal};

/// The signing key, the anchors and the last drill of one installation.
#[derive(Debug)]
pub struct Evidence {
    pub(crate) signer: LocalSigner,
    pub(crate) anchors: Anchors,
    pub(crate) rehearsal: Rehearsal,
    /// Goes with the process.
    pub(crate) temporary: Option<TempDir>,
}

impl Evidence {
    /// The key of [`SIGNING_KEY`], or the one in `folder`, which is made on the first start; the anchor file in `folder`; and a
    /// second anchor in the PostgreSQL at `anchor_url`, if there is one.
    ///
    /// A deployment has the key in a key management service, the file on another machine and the second PostgreSQL under
    /// another administrator.
    ///
    /// # Errors
    /// When the folder cannot be used, the key is malformed or lies open to others, or the second PostgreSQL does not answer.
    pub async fn open(folder: &Path, anchor_url: Option<&str>) -> Result<Self> {
        create(folder).with_context(|| format!("the folder {} cannot be used for evidence", folder.display()))?;
        let signer =
            key::from_environment().transpose().unwrap_or_else(|| key::in_file(&folder.join("checkpoint.key")))?;
        let anchors = Anchors::open(folder.join("checkpoints.jsonl"), anchor_url, signer_name()).await?;
        Ok(Self { signer, anchors, rehearsal: Rehearsal::in_folder(folder), temporary: None })
    }

    /// A key and an anchor file for data that end with the process.
    ///
    /// # Errors
    /// When there is no temporary folder.
    pub async fn temporary() -> Result<Self> {
        let folder = tempfile::tempdir().context("there is no temporary folder for the checkpoints")?;
        let signer = key::in_file(&folder.path().join("checkpoint.key"))?;
        let anchors = Anchors::open(folder.path().join("checkpoints.jsonl"), None, signer_name()).await?;
        Ok(Self { signer, anchors, rehearsal: Rehearsal::in_folder(folder.path()), temporary: Some(folder) })
    }

    /// Where evidence lies by default for a server whose data last.
    #[must_use]
    pub fn default_folder(server: &str) -> PathBuf {
        PathBuf::from("freight-evidence").join(server)
    }
}

/// The name of the log in its checkpoints, by custom a URL without its scheme.
const fn signer_name() -> &'static str {
    "freight-desk.example/audit"
}

fn create(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
