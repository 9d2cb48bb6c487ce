//! Documents of loads. Whoever sees a load sees which documents it has; to download one is a permission, and an entry of the log.

use chrono::{DateTime, Utc};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stockade::audit_chain::Severity;
use uuid::Uuid;

use super::{
    features::{self, Feature},
    loads,
};
use crate::{
    desk::{Desk, Reads, Refused},
    permissions::Perm,
};

/// A document, as a page lists it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Document {
    /// The document.
    pub id: Uuid,
    /// The name of the file.
    pub name: String,
    /// Its length in bytes.
    pub bytes: i32,
    /// Since when the load has it.
    pub added_at: DateTime<Utc>,
}

/// What a download hands over.
#[derive(Clone, Debug)]
pub struct File {
    /// The name of the file.
    pub name: String,
    /// All of it.
    pub content: Vec<u8>,
}

/// Why a document was not handed over.
#[derive(Clone, Debug)]
pub enum Withheld {
    /// There is none, or it belongs to a load that the person does not see.
    NotFound,
    /// The policy or the tenant's own switch says no.
    Refused(Refused),
}

/// The documents of a load that the person sees.
///
/// # Errors
/// When the database fails.
pub async fn of<W: Reads<Perm>>(desk: &mut Desk<W>, load: Uuid) -> sqlx::Result<Vec<Document>> {
    sqlx::query_as(
        "SELECT id, name, octet_length(content) AS bytes, added_at FROM freight.documents WHERE load_id = $1 ORDER BY name",
    )
    .bind(load)
    .fetch_all(desk.tx())
    .await
}

/// Hands a document over, and records to whom. Commit the desk before anything of it leaves.
///
/// # Errors
/// When the database fails.
pub async fn download(desk: &mut Desk, id: Uuid) -> anyhow::Result<Result<File, Withheld>> {
    let found: Option<(Uuid, String, Vec<u8>)> =
        sqlx::query_as("SELECT load_id, name, content FROM freight.documents WHERE id = $1")
            .bind(id)
            .fetch_optional(&mut desk.tx)
            .await?;
    let Some((load, name, content)) = found else { return Ok(Err(Withheld::NotFound)) };
    let Some(load) = loads::find(desk, load).await? else { return Ok(Err(Withheld::NotFound)) };
    if let Err(refused) = desk.require(Perm::DocumentDownload, &load.resource(desk.user.id), ("document", id)) {
        return Ok(Err(Withheld::Refused(refused)));
    }
    if !features::is_on(&mut desk.tx, Feature::DocumentDownloads).await? {
        return Ok(Err(Withheld::Refused(Refused("Downloads are switched off for your company.".to_owned()))));
    }
    let entry = desk
        .entry("document.download")
        .entity("document", id)
        .severity(Severity::Notice)
        .after(json!({ "name": name, "load": load.reference, "bytes": content.len(), "sha256": hex::encode(Sha256::digest(&content)) }));
    desk.record(&entry).await?;
    Ok(Ok(File { name, content }))
}
