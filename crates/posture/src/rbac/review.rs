//! The control `rbac.review`: when grants were last looked at, and what should have gone.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use stockade_rbac::{AccessStatistics, GrantRow, Permission, Policy};
use uuid::Uuid;

use super::grants;
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::Observation,
    report::Age,
};

const NAME: &str = "rbac.review";

const CONTROLS: [ControlId; 1] = [ControlId::RBAC_REVIEW];

/// How long a review counts.
const LIMIT: TimeDelta = TimeDelta::days(90);

/// Measures `rbac.review`, one subject a tenant: that its grants were reviewed within 90 days, that none is an orphan, expired, without the
/// end that an exception needs or a suspended person's, and that nobody holds roles that are kept apart.
///
/// `reviews` has the date of each tenant's last review. A review is a person's work, and the dates come from wherever it is recorded, such
/// as [`audit_chain::last_recorded`](crate::audit_chain::last_recorded) (feature `audit-chain`).
pub fn review<'a, P: Permission>(
    connection: &'a mut PgConnection,
    policy: &'a Policy<P>,
    reviews: &'a BTreeMap<Uuid, DateTime<Utc>>,
) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let grants = grants::read(connection).await?;
        let judge = |(tenant, rows): (&Uuid, &Vec<GrantRow>)| judge(*tenant, rows, policy, reviews.get(tenant), at);
        Ok(grants.iter().map(judge).collect())
    })
}

fn judge<P: Permission>(
    tenant: Uuid,
    rows: &[GrantRow],
    policy: &Policy<P>,
    reviewed: Option<&DateTime<Utc>>,
    at: DateTime<Utc>,
) -> Observation {
    let (control, subject) = (ControlId::RBAC_REVIEW, grants::of_tenant(tenant));
    let found = AccessStatistics::of(policy, at, TimeDelta::zero(), rows);
    let age = reviewed.map(|reviewed| Age::of(*reviewed, LIMIT, at));
    let fail = |reason| Observation::fail(control, subject.clone(), at, reason);
    let seen = if found.separations_broken > 0 {
        fail("somebody holds roles that are kept apart")
    } else if found.orphans > 0 {
        fail("grants name what the policy does not have")
    } else if found.expired > 0 {
        fail("grants have expired and are still there")
    } else if found.without_expiry > 0 {
        fail("exceptions allow something for good")
    } else if found.suspended > 0 {
        fail("suspended people still have grants")
    } else {
        match age {
            Some(Age::Fresh) => Observation::pass(control, subject, at),
            Some(Age::Old) => fail("the last review is more than 90 days ago"),
            Some(Age::Future) => fail("the last review is dated in the future"),
            None => fail("the grants were never reviewed"),
        }
    };
    let seen = seen
        .fact("people", found.people)
        .fact("separations_broken", found.separations_broken)
        .fact("orphans", found.orphans)
        .fact("expired", found.expired)
        .fact("without_expiry", found.without_expiry)
        .fact("suspended", found.suspended)
        .by(NAME);
    match reviewed {
        Some(reviewed) => seen.fact("reviewed_days_ago", at.signed_duration_since(*reviewed).num_days()),
        None => seen,
    }
}
