//! The control `audit.verifies`: every chain, recomputed from its entries.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_audit_chain::{
    Report, TenantId,
    postgres::{VerifyOptions, tenants, verify},
};

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "audit_chain.chains";

const CONTROLS: [ControlId; 1] = [ControlId::AUDIT_VERIFIES];

/// Which chains to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chains(Option<Vec<(TenantId, Subject)>>);

impl Chains {
    /// Those of all tenants that have entries, each named by the tenant's identifier.
    #[must_use]
    pub const fn all() -> Self {
        Self(None)
    }

    /// Those of these tenants, each with the name that it has on the page.
    pub fn of(chains: impl IntoIterator<Item = (TenantId, Subject)>) -> Self {
        Self(Some(chains.into_iter().collect()))
    }
}

/// Measures `audit.verifies` by verifying chains from the first entry to the last, one subject a chain.
///
/// It reads the whole log. Where that is too long for one sitting, verify in parts with
/// [`IncrementalVerifier`](stockade_audit_chain::postgres::IncrementalVerifier) and tell what it found with [`chain_verified`].
///
/// Hashes alone do not show that the end of a chain was cut off together with its head, nor that all of it was written anew: give
/// `options` a kept head, or measure [`anchored`](super::anchored()) too.
pub fn chains<'a>(connection: &'a mut PgConnection, chains: Chains, options: &'a VerifyOptions) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = verify_each(&mut reading, chains, options, at).await;
        close(reading, seen).await
    })
}

async fn verify_each(
    reading: &mut PgConnection,
    Chains(named): Chains,
    options: &VerifyOptions,
    at: DateTime<Utc>,
) -> Result<Vec<Observation>, Error> {
    let named = match named {
        Some(named) => named,
        None => {
            let all = tenants(&mut *reading).await.map_err(unreadable)?;
            all.into_iter().map(|tenant| (tenant, Subject::new(format!("audit log of tenant {tenant}")))).collect()
        }
    };
    let mut seen = Vec::with_capacity(named.len());
    for (tenant, subject) in named {
        let report = verify(&mut *reading, tenant, options).await.map_err(unreadable)?;
        seen.push(chain_verified(subject, &report, at));
    }
    Ok(seen)
}

/// What a verification that ended at `collected_at` says of [`ControlId::AUDIT_VERIFIES`], about the log that `subject` names.
///
/// A log without a single entry is no evidence, and unknown.
#[must_use]
pub fn chain_verified(subject: Subject, report: &Report, collected_at: DateTime<Utc>) -> Observation {
    let control = ControlId::AUDIT_VERIFIES;
    let empty = report.checked() == 0 && report.unsealed() == 0 && report.purged() == 0;
    let seen = match report.verdicts().first() {
        _ if report.is_intact() && empty => {
            Observation::unknown(control, subject, collected_at, "the log has no entry")
        }
        _ if report.is_intact() => Observation::pass(control, subject, collected_at),
        // Without the tenant, which the subject names.
        Some(first) => {
            let place = first.seq.map_or_else(String::new, |seq| format!("entry {seq}: "));
            Observation::fail(control, subject, collected_at, format!("{place}{}", first.finding))
        }
        None => Observation::fail(control, subject, collected_at, "the log is not intact"),
    };
    let findings = (report.verdicts().len() as u64).saturating_add(report.suppressed());
    seen.fact("entries", report.checked())
        .fact("unsealed", report.unsealed())
        .fact("findings", findings)
        .fact("erased_values", report.erased())
        .by(NAME)
}
