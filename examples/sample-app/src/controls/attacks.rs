//! A collector of the application's own: the attempts that its isolation page makes.

use chrono::{DateTime, Utc};
use stockade::{
    posture::{Collector, ControlId, Error, Observation, Subject, from_fn},
    tenant_guard::{Actor, Principal, TenantId},
};
use uuid::Uuid;

use crate::{app::App, domain::attacks, reach, seed};

const NAME: &str = "freight.attacks";
const CONTROLS: [ControlId; 1] = [ControlId::RLS_PROBE];

/// One tenant's attempts on another, through the login of requests. Each is undone.
pub(super) fn attempts(app: &App, tenant: Uuid) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at: DateTime<Utc>| {
        let failed = |cause: anyhow::Error| Error::unavailable_because("the attempts could not be made", cause);
        let reach = reach::whole_tenant().map_err(|error| failed(error.into()))?;
        let attacker = Principal::new(TenantId::new(tenant), Actor::new(Uuid::nil()).with_scopes(reach));
        let victim = seed::TENANTS.iter().map(|tenant| tenant.id).find(|id| *id != tenant).unwrap_or(Uuid::nil());
        let attempts = attacks::run(app, &attacker, victim).await.map_err(failed)?;
        let held = attempts.iter().filter(|attempt| attempt.outcome.held()).count();
        let subject = Subject::new("application role");
        let seen = if held == attempts.len() {
            Observation::pass(ControlId::RLS_PROBE, subject, at)
        } else {
            Observation::fail(ControlId::RLS_PROBE, subject, at, "an attempt reached another tenant")
        };
        Ok(vec![seen.fact("attempts", attempts.len()).fact("held", held).by(NAME)])
    })
}
