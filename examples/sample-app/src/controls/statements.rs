//! What people state, because no machine can see it. The dashboard draws these as stated, and each ends.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use stockade::posture::{Attestation, ControlId};

/// The demonstration's statements, made when the tenant moved in. A real application keeps them as rows, with who made them.
pub(super) fn of(moved_in: Option<DateTime<Utc>>) -> Result<Vec<Attestation>> {
    let Some(given) = moved_in else { return Ok(Vec::new()) };
    let until = given + TimeDelta::days(180);
    let by = "Freight Desk, head of operations (demonstration)";
    Ok(vec![
        Attestation::new(
            ControlId::ATTEST_RESIDENCY,
            by,
            "data and backups stay on the machine that runs this demonstration",
            given,
            until,
        )?,
        Attestation::new(ControlId::ATTEST_SUBPROCESSORS, by, "there are no sub-processors", given, until)?,
    ])
}
