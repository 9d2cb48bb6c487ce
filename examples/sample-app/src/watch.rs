//! Watching the audit log: checkpoints that are signed and anchored, verifications, and what the last of each found.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Executor, Postgres};
use stockade::{
    audit_chain::{
        Actor, Anchor as _, Entry, LocalSigner, Outcome, ProvenHead, Publication, Report, Severity, Signer as _,
        TenantId, VerifierKey,
        postgres::{Checkpointer, Checkpointing, VerifyOptions, stored_checkpoint, tenants, verify},
    },
    bridge::{PLATFORM, Trail},
    posture::Observation,
    tenant_guard,
};
use uuid::Uuid;

use crate::{
    app::App,
    controls,
    evidence::{Anchors, Evidence, Rehearsal},
    seed::PLATFORM as OWN,
};

/// How often a checkpoint is made. What is rewritten between two of them is not seen.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// After how many checkpoints every chain is recomputed as a whole.
const VERIFY_EVERY: u32 = 15;

/// The key, the anchors, and what was last found.
#[derive(Debug)]
pub struct Watch {
    checkpointer: Checkpointer<LocalSigner>,
    key: VerifierKey,
    anchors: Anchors,
    rehearsal: Rehearsal,
    trail: Trail,
    checkpointed: Mutex<Option<Checkpointed>>,
    verified: Mutex<BTreeMap<TenantId, Verified>>,
    told: Mutex<BTreeMap<&'static str, Vec<Observation>>>,
    /// Held while the isolation is attacked: once is enough for everybody who looks meanwhile.
    pub(crate) attacking: tokio::sync::Mutex<()>,
    _temporary: Option<tempfile::TempDir>,
}

/// The last attempt to make a checkpoint.
#[derive(Clone, Debug)]
pub struct Checkpointed {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What it found.
    pub found: Found,
}

/// What became of an attempt to make a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The log was compared with what was signed before.
    Answered(Checkpointing),
    /// An anchor, the signer or the database did not answer.
    Failed,
}

/// The last verification of one tenant's chain.
#[derive(Clone, Debug)]
pub struct Verified {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// What it found.
    pub report: Report,
}

impl Watch {
    pub(crate) fn new(evidence: Evidence, trail: Trail) -> Self {
        let Evidence { signer, anchors, rehearsal, temporary } = evidence;
        Self {
            key: signer.key().clone(),
            checkpointer: Checkpointer::new(signer),
            anchors,
            rehearsal,
            trail,
            checkpointed: Mutex::default(),
            verified: Mutex::default(),
            told: Mutex::default(),
            attacking: tokio::sync::Mutex::default(),
            _temporary: temporary,
        }
    }

    /// What an auditor is given to check checkpoints and bundles with.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Where checkpoints are kept.
    #[must_use]
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The report of the last restore drill.
    #[must_use]
    pub fn rehearsal(&self) -> &Rehearsal {
        &self.rehearsal
    }

    /// What the last attempt to make a checkpoint found, in this process.
    #[must_use]
    pub fn checkpointed(&self) -> Option<Checkpointed> {
        self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the last verification of a tenant's chain found, in this process.
    #[must_use]
    pub fn verified(&self, tenant: TenantId) -> Option<Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned()
    }

    /// The end of a tenant's chain as the anchors have it. `None` if they have none, or one that this key did not sign: then
    /// the next checkpoint is refused, and says so.
    ///
    /// # Errors
    /// When an anchor does not answer.
    pub async fn kept(&self, tenant: TenantId) -> Result<Option<ProvenHead>> {
        let kept = self.anchors.fetch_latest().await.map_err(anyhow::Error::from_boxed)?;
        let Some((kept, signed)) = kept.and_then(|kept| kept.open(&self.key).map(|signed| (kept, signed))) else {
            return Ok(None);
        };
        Ok(kept.prove_head(tenant)?.and_then(|proof| proof.verify(&signed)))
    }

    /// Recomputes a tenant's chain and compares it with the anchors' checkpoint, on a connection that sees the tenant's log.
    ///
    /// # Errors
    /// When an anchor or the database does not answer.
    pub async fn verify<E>(&self, executor: &mut E, tenant: TenantId) -> Result<Report>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let mut options = VerifyOptions::new();
        if let Some(kept) = self.kept(tenant).await? {
            options = options.kept_checkpoint(kept);
        }
        let report = verify(executor, tenant, &options).await?;
        let verified = Verified { at: Utc::now(), report: report.clone() };
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, verified);
        Ok(report)
    }

    /// What a measurement found the last time, in this process: one that is not made for each page.
    pub(crate) fn told(&self, measurement: &'static str) -> Vec<Observation> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(measurement).cloned().unwrap_or_default()
    }

    pub(crate) fn tell(&self, measurement: &'static str, seen: Vec<Observation>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(measurement, seen);
    }

    fn note(&self, found: Found) {
        let now = Checkpointed { at: Utc::now(), found };
        let mut last = self.checkpointed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.as_ref().map(|last| &last.found);
        if let Found::Answered(Checkpointing::Refused(refusals)) = &now.found
            && before != Some(&now.found)
        {
            // Once, when it begins. It concerns the operator first, whose log the platform's is.
            let entry = Entry::new(PLATFORM.into(), Actor::system("checkpointer"), "checkpoint.refuse")
                .outcome(Outcome::Denied)
                .severity(Severity::Critical)
                .after(json!({ "contradictions": refusals.len() }));
            self.trail.send(PLATFORM.into(), entry);
        }
        *last = Some(now);
    }
}

impl App {
    /// Seals what waits, compares every chain with the anchors' checkpoint, and signs and anchors the next one.
    ///
    /// # Errors
    /// When an anchor or the database does not answer. A log that contradicts its checkpoint is no error but noted.
    pub async fn checkpoint_now(&self) -> Result<()> {
        let made = async {
            self.seal_now().await?;
            let mut connection = self.checkpointer().await?;
            anyhow::Ok(self.watch.checkpointer.checkpoint(&mut connection, &self.watch.anchors).await?)
        };
        match made.await {
            // Another process is at work, and what it finds is its own to tell.
            Ok(Checkpointing::Standby) => {}
            Ok(answer) => self.watch.note(Found::Answered(answer)),
            Err(error) => {
                self.watch.note(Found::Failed);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The last checkpoint that the database has, with the heads of all tenants. Read before a desk is opened, where there is
    /// one connection.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_checkpoint(&self) -> Result<Option<Publication>> {
        Ok(stored_checkpoint(&mut *self.sealer().await?, u64::MAX).await?)
    }

    /// Verifies every tenant's chain.
    ///
    /// # Errors
    /// When an anchor or the database does not answer.
    pub async fn verify_everything(&self) -> Result<()> {
        let all = tenants(&mut *self.sealer().await?).await?;
        for tenant in all {
            // One tenant at a time, so that requests get their turn where there is one connection.
            self.watch.verify(&mut *self.sealer().await?, tenant).await?;
        }
        Ok(())
    }

    /// Assesses every customer that was not assessed today (UTC), and records it in the customer's log. One that cannot be assessed keeps
    /// no other from it.
    ///
    /// # Errors
    /// When the database does not answer: the first error.
    pub async fn assess_due(&self) -> Result<()> {
        // No login reads the rows of all tenants. The sealer sees whose logs there are, and a tenant is made with an entry of its own;
        // which of them are customers each says in its own scope.
        let logs = tenants(&mut *self.sealer().await?).await?;
        let mut done = Ok(());
        for tenant in logs {
            done = done.and(self.assess_if_due(tenant.into()).await);
        }
        done
    }

    async fn assess_if_due(&self, tenant: Uuid) -> Result<()> {
        let now = Utc::now();
        if !self.is_customer(tenant).await? {
            return Ok(());
        }
        let recorded = controls::earlier(self, tenant, now).await?;
        let today = recorded.snapshots.iter().any(|earlier| earlier.at().date_naive() == now.date_naive());
        if !today && recorded.unsealed == 0 {
            controls::record(self, tenant).await?;
        }
        Ok(())
    }

    /// Logs belong to the bridge and to the platform's own staff too, who have no business here.
    async fn is_customer(&self, tenant: Uuid) -> Result<bool> {
        if tenant.is_nil() || tenant == OWN.id {
            return Ok(false);
        }
        let mut tx = self.tenants.read(tenant_guard::TenantId::new(tenant)).await?;
        let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM freight.tenants").fetch_optional(&mut tx).await?;
        tx.close().await?;
        Ok(found.is_some())
    }

    /// Makes checkpoints, verifies and assesses, again and again. Runs until the task is dropped.
    pub async fn watch_forever(self: Arc<Self>) {
        let mut round = 0_u32;
        loop {
            let mut done = self.checkpoint_now().await;
            if done.is_ok() && round.is_multiple_of(VERIFY_EVERY) {
                done = async {
                    self.verify_everything().await?;
                    self.assess_due().await
                }
                .await;
            }
            match done {
                Ok(()) => round = round.wrapping_add(1),
                Err(error) => complain(&error),
            }
            tokio::time::sleep(CHECKPOINT_EVERY).await;
        }
    }
}

#[expect(clippy::print_stderr, reason = "the operator's log of this example is standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!(
        "sample-app: the audit log could not be checked or the controls not measured, and will be tried again: {error:#}"
    );
}
