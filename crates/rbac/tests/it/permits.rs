//! Permits, and the duty to record.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use chrono::{TimeDelta, Utc};
use stockade_rbac::{AccessRecord, AuditSink, Kind, Override, Permit, Reason, Refusal, Scope};

use crate::desk::{Perm, World, perm};

/// A log in memory that can be made to fail.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) records: Vec<AccessRecord>,
    broken: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogIsBroken;

impl Log {
    pub(crate) fn broken() -> Self {
        Self { broken: true, ..Self::default() }
    }
}

impl AuditSink for Log {
    type Error = LogIsBroken;

    async fn record(&mut self, record: AccessRecord) -> Result<(), LogIsBroken> {
        if self.broken {
            return Err(LogIsBroken);
        }
        self.records.push(record);
        Ok(())
    }
}

/// Runs a future that never waits.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the log answers at once"),
    }
}

#[test]
fn a_permit_carries_what_was_decided_on() {
    let world = World::new();
    let row = world.row().team(world.team);
    let permit: Permit<perm::Edit> = world.actor("dispatcher").require::<perm::Edit>(&row).unwrap();
    assert_eq!((permit.user(), permit.resource()), (world.user.into(), &row));
    assert!(format!("{permit:?}").contains("Edit"));
}

#[test]
fn a_refusal_tells_the_person_nothing_but_the_permission() {
    let world = World::new();
    let denied = world.actor("dispatcher").require::<perm::Edit>(&world.row()).unwrap_err();
    assert_eq!(denied.to_string(), "not permitted: `load.edit`");
    assert_eq!(denied.permission(), "load.edit");
    assert!(matches!(denied.refusal(), Refusal::ScopeTooNarrow { .. }));
    assert_eq!(denied.explanation(), "denied: `load.edit` reaches team, this needs tenant; roles: dispatcher");
}

#[test]
fn an_audit_permission_is_usable_only_once_it_is_recorded() {
    let world = World::new();
    let controller = world.actor("controller");
    let (row, mut log) = (world.row(), Log::default());
    let unrecorded = controller.require::<perm::Post>(&row).unwrap();
    assert!(log.records.is_empty());
    let permit: Permit<perm::Post> = now(unrecorded.record(&mut log)).unwrap();
    assert_eq!(permit.user(), world.user.into());

    let [record] = log.records.try_into().unwrap();
    assert_eq!((record.actor, record.on_behalf_of, record.reason), (world.user.into(), None, None));
    assert_eq!((record.resource, record.permission, record.kind), (row, "ledger.post", Kind::Write));
    assert_eq!(record.explanation, "allowed: role `controller` grants `ledger.post`; reach: tenant; roles: controller");
    assert_eq!((record.policy_version, record.subject_version), (world.policy.version(), None));
    assert_eq!((record.exception, record.delegated_by), (None, None));
}

#[test]
fn the_record_of_what_an_exception_allowed_says_why_it_was_given() {
    let world = World::new();
    let (why, soon) = (Reason::new("closes the quarter for a colleague").unwrap(), Utc::now() + TimeDelta::hours(1));
    let exception = Override::allow(Perm::Post, Scope::Tenant, why.clone(), soon).unwrap();
    let actor = world.policy.actor(world.subject()).role("viewer").unwrap().with_override(exception).build();
    let mut log = Log::default();
    let permit = now(actor.require::<perm::Post>(&world.row()).unwrap().record(&mut log)).unwrap();
    assert_eq!((permit.user(), log.records[0].exception.as_ref()), (world.user.into(), Some(&why)));
}

#[test]
fn a_decision_names_the_policy_and_the_state_of_the_person() {
    let world = World::new();
    let same = stockade_rbac::Policy::<Perm>::compile(crate::desk::POLICY).unwrap();
    let other = stockade_rbac::Policy::<Perm>::compile(&crate::desk::POLICY.replace("viewer", "looker")).unwrap();
    assert_eq!(same.version(), world.policy.version());
    assert_ne!(other.version(), same.version());
    let text = same.version().to_string();
    assert!(text.len() == 16 && same.digest().to_string().starts_with(&text), "{text}");

    let actor = world.policy.actor(world.subject()).role("viewer").unwrap().subject_version(41).build();
    let row = world.row();
    let decision = actor.decide(Perm::View, &row);
    assert_eq!((decision.policy_version(), decision.subject_version()), (same.version(), Some(41.into())));
    assert_eq!(world.actor("viewer").decide(Perm::View, &row).subject_version(), None);
    let token = actor.attenuate(&stockade_rbac::Scopes::none());
    assert_eq!(token.subject_version(), Some(41.into()));
}

#[test]
fn a_sink_that_fails_gives_no_permit() {
    let world = World::new();
    let unrecorded = world.actor("controller").require::<perm::Reveal>(&world.row()).unwrap();
    assert_eq!(now(unrecorded.record(&mut Log::broken())).unwrap_err(), LogIsBroken);
}

#[test]
fn a_refused_audit_permission_gives_nothing_to_record() {
    let world = World::new();
    assert!(world.actor("viewer").require::<perm::Reveal>(&world.row()).is_err());
    assert!(world.actor("controller").require::<perm::Close>(&world.row()).is_err(), "needs a second factor");
}

#[test]
fn recording_can_run_on_any_executor() {
    fn sendable(_: impl Future + Send) {}
    let world = World::new();
    let unrecorded = world.actor("controller").require::<perm::Reveal>(&world.row()).unwrap();
    sendable(unrecorded.record(&mut Log::default()));
    let _ = Perm::Reveal;
}
