//! Keys and what is sealed under them: how much, and the steps of a rotation.

use std::ops::ControlFlow;

use anyhow::Result;
use stockade::{
    field_crypto::{
        KekId, KekRemoval, KeyChange, KeyId, Purpose, RewrapReport, TenantId,
        postgres::{ColumnUses, JobReport, Rewriter, TenantScope},
    },
    rbac::Resource,
};
use uuid::Uuid;

use crate::{
    app::{App, ROTATION},
    columns,
    desk::{Desk, Refused},
    permissions::Perm,
};

/// How the rows of one sealed column are kept, of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Table and column.
    pub column: String,
    /// Sealed under the key that seals now; of a column of drivers, under the driver's key.
    pub sealed: u64,
    /// Sealed under an older key that opens.
    pub older: u64,
    /// Sealed under a key that was destroyed by a shred.
    pub shredded: u64,
    /// Neither: plain text, another form, or a key that nobody knows.
    pub open: u64,
}

/// A key of the tenant.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Key {
    /// Its number.
    pub key_id: i64,
    /// What it is for: `aead` or `index`.
    pub purpose: String,
    /// `active`, `decrypt_only`, `retired` or `destroyed`.
    pub state: String,
    /// What wraps it.
    pub kek_id: String,
    /// Since when it is in its state.
    pub state_since: chrono::DateTime<chrono::Utc>,
}

/// Everything that the page shows.
#[derive(Clone, Debug)]
pub struct Status {
    /// Each sealed column.
    pub columns: Vec<Coverage>,
    /// Each key of the tenant.
    pub keys: Vec<Key>,
    /// How many keys of drivers are wrapped by another key than the one that seals.
    pub subjects_behind: i64,
    /// Key encryption keys, and how many keys of all tenants each wraps.
    pub keks: Vec<(String, i64)>,
    /// The next step of a rotation of the tenant's key.
    pub next: Step,
}

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a key that opens but does not seal yet.
    Add,
    /// Seal under this key from now on.
    Promote(KeyId),
    /// Seal what is under older keys anew.
    Rewrite,
    /// Nothing is sealed under this key any more: let it go.
    Retire(KeyId),
    /// Destroy it.
    Destroy(KeyId),
}

/// What became of a step.
#[derive(Clone, Debug)]
pub enum Became {
    /// It was made.
    Made,
    /// Rows and keys of drivers that were sealed anew.
    Rewritten(JobReport, u64),
    /// It is too early, or something is still in use.
    Refused(KeyChange),
    /// Somebody else has made a step meanwhile.
    Overtaken,
}

impl Step {
    /// As a form sends it.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Add => "add".to_owned(),
            Self::Promote(key) => format!("promote-{key}"),
            Self::Rewrite => "rewrite".to_owned(),
            Self::Retire(key) => format!("retire-{key}"),
            Self::Destroy(key) => format!("destroy-{key}"),
        }
    }
}

const KEYS: &str = "SELECT key_id, purpose, state, kek_id, state_since FROM stockade.field_keys
WHERE tenant_id = $1 ORDER BY purpose, key_id";

const KEKS: &str =
    "SELECT kek_id, count(*) FROM stockade.field_keys WHERE wrapped IS NOT NULL GROUP BY kek_id ORDER BY kek_id";

const BEHIND: &str = "
SELECT count(*) FROM stockade.field_subject_keys s WHERE s.tenant_id = $1 AND s.state = 'active' AND s.wrapping_key <> (
    SELECT k.key_id FROM stockade.field_keys k WHERE k.tenant_id = $1 AND k.purpose = 'aead' AND k.state = 'active')";

/// Where the tenant's encryption stands. Taken while no desk is open.
///
/// # Errors
/// When the database fails.
pub async fn status(app: &App, tenant: Uuid) -> Result<Status> {
    let mut tx = TenantScope::begin(app.rotator(), TenantId::from(tenant)).await?;
    let coverage = columns::registry().coverage(&mut tx).await?;
    let columns: Vec<_> = coverage
        .iter()
        .map(|column| {
            let totals = column.totals();
            Coverage {
                column: format!("{}.{}", column.table, column.column),
                sealed: totals.current,
                older: totals.older,
                shredded: totals.destroyed,
                open: totals.lost + totals.plain + totals.malformed,
            }
        })
        .collect();
    let keys: Vec<Key> = sqlx::query_as(KEYS).bind(tenant).fetch_all(&mut *tx).await?;
    let keks = sqlx::query_as(KEKS).fetch_all(&mut *tx).await?;
    let subjects_behind = sqlx::query_scalar(BEHIND).bind(tenant).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    let older = columns.iter().map(|column| column.older).sum::<u64>();
    let next = next(&keys, older > 0 || subjects_behind > 0);
    Ok(Status { columns, keys, subjects_behind, keks, next })
}

fn next(keys: &[Key], behind: bool) -> Step {
    let sealing = |state: &str| {
        let key = keys.iter().filter(|key| key.purpose == "aead").find(|key| key.state == state)?;
        u32::try_from(key.key_id).ok().and_then(KeyId::new)
    };
    let Some(active) = sealing("active") else { return Step::Add };
    match (sealing("decrypt_only"), sealing("retired")) {
        (Some(other), _) if other > active => Step::Promote(other),
        (Some(_), _) if behind => Step::Rewrite,
        (Some(older), _) => Step::Retire(older),
        (None, Some(retired)) => Step::Destroy(retired),
        (None, None) => Step::Add,
    }
}

/// Makes the step that the person saw, if it still is the next one. Ends the desk.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn advance(app: &App, desk: Desk, seen: &str) -> Result<Result<Became, Refused>> {
    let tenant = desk.user.tenant_id;
    if let Err(refused) = allowed(app, desk, "encryption.rotate").await? {
        return Ok(Err(refused));
    }
    let step = status(app, tenant).await?.next;
    if step.key() != seen {
        return Ok(Ok(Became::Overtaken));
    }
    let id = TenantId::from(tenant);
    let uses = || ColumnUses::new(columns::registry(), app.rotator().clone());
    let change = match step {
        Step::Add => {
            app.vault.add_key(id, Purpose::Aead).await?;
            KeyChange::Made
        }
        Step::Promote(key) => app.vault.promote(id, key, ROTATION).await?,
        Step::Rewrite => {
            let mut rewriter = Rewriter::new(&app.vault, columns::registry(), app.rotator().clone())?;
            let report = rewriter.rewrite(id, |_| ControlFlow::Continue(())).await?;
            let subjects = app.vault.rewrap_subjects(id).await?;
            return Ok(Ok(Became::Rewritten(report, subjects.rewrapped)));
        }
        Step::Retire(key) => app.vault.retire(id, key, &uses(), ROTATION).await?,
        Step::Destroy(key) => app.vault.destroy_retired(id, key, &uses(), ROTATION).await?,
    };
    Ok(Ok(if change == KeyChange::Made { Became::Made } else { Became::Refused(change) }))
}

/// Wraps every tenant's keys under the first key of the keyring, and lets go of those that wrap nothing any more. Ends the desk.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn rewrap(app: &App, desk: Desk) -> Result<Result<(RewrapReport, Vec<String>), Refused>> {
    let tenant = desk.user.tenant_id;
    if let Err(refused) = allowed(app, desk, "encryption.rewrap").await? {
        return Ok(Err(refused));
    }
    let before = status(app, tenant).await?.keks;
    let report = app.vault.rewrap().await?;
    let mut forgotten = Vec::new();
    for (kek, _) in before {
        let id = KekId::new(kek.clone())?;
        if app.vault.forget_kek(&id).await? == KekRemoval::Forgotten {
            forgotten.push(kek);
        }
    }
    Ok(Ok((report, forgotten)))
}

async fn allowed(app: &App, mut desk: Desk, action: &str) -> Result<Result<(), Refused>> {
    let own = Resource::in_tenant(desk.user.tenant_id);
    let allowed = desk.require(Perm::CryptoRotate, &own, ("encryption", "keys"));
    if allowed.is_ok() {
        let entry = desk.entry(action).entity("encryption", "keys");
        desk.record(&entry).await?;
    }
    desk.commit(app).await?;
    Ok(allowed)
}
