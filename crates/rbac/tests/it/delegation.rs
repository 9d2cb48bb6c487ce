//! Authority that is lent.

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{
    Actor, ActorBuilder, Ceiling, Change, Delegation, Direct, ErrorKind, GrantRefusal, ManualClock, Override, Policy,
    Reason, Refusal, Resource, Scope, Scopes, Subject, Target, Verdict, Via,
};
use uuid::Uuid;

use crate::permits::{Log, now};

stockade_rbac::permissions! {
    /// What a person of the office may do.
    pub enum Perm {
        View    = "bill.view":    Read,  up to Platform, delegable;
        Enter   = "bill.enter":   Write, up to Tenant, delegable;
        Approve = "bill.approve": Write, up to Tenant, audit, mfa, delegable;
        Pay     = "bill.pay":     Write, up to Tenant;
        Manage  = "user.manage":  Write, up to Tenant, delegable;
    }
}

const POLICY: &str = r#"
    role = [
        { name = "viewer", grants.own = ["bill.view"] },
        { name = "lead", grants.team = ["bill.enter"], grants.office = ["bill.view"] },
        { name = "approver", grants.tenant = ["bill.approve"] },
        { name = "payer", grants.tenant = ["bill.pay", "bill.view"] },
        { name = "head", grants.tenant = ["bill.view", "bill.enter", "bill.approve", "bill.pay", "user.manage"] },
        { name = "support", staff = true, grants.platform = ["bill.view"] },
    ]
    separation = [
        { name = "pay", kind = "static", roles = ["approver", "payer"] },
        { name = "four-eyes", kind = "same-record", first = "bill.enter", then = "bill.approve" },
    ]
"#;

struct Office {
    policy: Policy<Perm>,
    clock: ManualClock,
    tenant: Uuid,
}

fn because() -> Reason {
    Reason::new("on leave").unwrap()
}

impl Office {
    fn new() -> Self {
        let clock = ManualClock::at("2025-03-01T12:00:00Z".parse().unwrap());
        let policy = Policy::compile(POLICY).unwrap().with_clock(clock.clone());
        Self { policy, clock, tenant: Uuid::now_v7() }
    }

    fn builder(&self, roles: &[&str]) -> ActorBuilder<Perm> {
        self.policy.actor(Subject::new(Uuid::now_v7(), self.tenant)).roles(roles).unwrap()
    }

    fn actor(&self, roles: &[&str]) -> Actor<Perm, Direct> {
        self.builder(roles).build()
    }

    fn until(&self) -> DateTime<Utc> {
        "2025-03-08T12:00:00Z".parse().unwrap()
    }

    fn lends(&self, scopes: &[&str]) -> Delegation<Perm> {
        Delegation::new(Scopes::parse(scopes).unwrap(), self.until(), because()).unwrap()
    }

    fn bill(&self) -> Resource {
        Resource::in_tenant(self.tenant).made_by(Uuid::from_u128(5))
    }
}

#[test]
fn what_is_lent_is_used_until_it_ends_and_recorded_under_both_names() {
    let office = Office::new();
    let head = office.actor(&["head"]);
    let delegation = office.lends(&["bill.approve:tenant"]);
    let deputy = office.builder(&["viewer"]).delegated_by(&head, &delegation).multi_factor().build();
    let decision = deputy.decide(Perm::Approve, &office.bill());
    let by = head.subject().user();
    assert_eq!(
        decision.verdict(),
        Verdict::Allowed { via: Via::Delegation { by, reason: &because() }, scope: Scope::Tenant }
    );
    assert_eq!(
        decision.to_string(),
        format!("allowed: `bill.approve` is delegated by {by}; reach: tenant; roles: viewer")
    );
    let mut log = Log::default();
    let permit = deputy.require::<perm::Approve>(&office.bill()).unwrap();
    assert_eq!(now(permit.record(&mut log)).unwrap().user(), deputy.subject().user());
    assert_eq!((log.records[0].actor, log.records[0].delegated_by), (deputy.subject().user(), Some(by)));
    assert_eq!(log.records[0].on_behalf_of, None);

    assert_eq!(deputy.valid_until(), Some(office.until()));
    office.clock.advance(TimeDelta::days(7));
    assert!(matches!(deputy.decide(Perm::View, &office.bill()).verdict(), Verdict::Denied(Refusal::Expired { .. })));
    let after = office.builder(&["viewer"]).delegated_by(&head, &delegation).multi_factor().build();
    assert_eq!(
        (after.scope(Perm::Approve), after.scope(Perm::View), after.valid_until()),
        (Scope::None, Scope::Own, None)
    );
}

#[test]
fn no_more_is_lent_than_the_delegator_has_now() {
    let office = Office::new();
    let asked = office.lends(&["bill.enter:tenant", "bill.view:tenant"]);
    let lent_by = |lender: &Actor<Perm, Direct>| {
        let deputy = office.builder(&[]).delegated_by(lender, &asked).build();
        (deputy.scope(Perm::Enter), deputy.scope(Perm::View))
    };
    assert_eq!(lent_by(&office.actor(&["head"])), (Scope::Tenant, Scope::Tenant));
    assert_eq!(lent_by(&office.actor(&["payer"])), (Scope::None, Scope::Tenant), "after a demotion");
    assert_eq!(lent_by(&office.actor(&[])), (Scope::None, Scope::None));
    let denied = office.builder(&["head"]).with_override(Override::deny(Perm::Enter, because())).build();
    assert_eq!(lent_by(&denied), (Scope::None, Scope::Tenant));
    let limit = Scopes::all().with(Perm::View, Scope::Own);
    let limited = office.builder(&["head"]).ceiling(Ceiling::Tenant, &limit).build();
    assert_eq!(lent_by(&limited), (Scope::Tenant, Scope::None), "own rows are not another's");
    assert_eq!(lent_by(&office.actor(&["head"]).attenuate(&Scopes::none())), (Scope::None, Scope::None));
}

#[test]
fn an_allowance_of_the_delegator_ends_for_the_deputy_too() {
    let office = Office::new();
    let soon = office.until() - TimeDelta::days(5);
    let allow = Override::allow(Perm::Enter, Scope::Tenant, because(), soon).unwrap();
    let lender = office.builder(&[]).with_override(allow).build();
    let asked = office.lends(&["bill.enter"]);
    let deputy = office.builder(&[]).delegated_by(&lender, &asked).build();
    assert_eq!((deputy.scope(Perm::Enter), deputy.valid_until()), (Scope::Tenant, Some(soon)));
    office.clock.advance(TimeDelta::days(3));
    assert_eq!(deputy.scope(Perm::Enter), Scope::None);
    assert_eq!(
        office.builder(&[]).delegated_by(&lender, &asked).build().scope(Perm::Enter),
        Scope::None,
        "a stale lender"
    );
}

#[test]
fn what_was_lent_is_not_lent_on() {
    let office = Office::new();
    let asked = office.lends(&["bill.enter"]);
    let deputy = office.builder(&[]).delegated_by(&office.actor(&["head"]), &asked).build();
    assert_eq!(deputy.scope(Perm::Enter), Scope::Tenant);
    let third = office.builder(&[]).delegated_by(&deputy, &asked).build();
    assert_eq!(third.scope(Perm::Enter), Scope::None);
}

#[test]
fn what_was_lent_gives_nothing_to_others() {
    let office = Office::new();
    let lent = office.lends(&["user.manage", "bill.view:tenant"]);
    let head = office.actor(&["head"]);
    let target = office.actor(&[]);
    let deputy = office.builder(&["viewer"]).delegated_by(&head, &lent).build();
    assert!(deputy.decide(Perm::Manage, &Resource::in_tenant(office.tenant)).is_allowed());
    for change in [Change::Assign("viewer"), Change::Suspend] {
        let refused = deputy.granting(Perm::Manage).check(&Target::new(&target), &change);
        assert_eq!(refused, Err(GrantRefusal::Delegated { permission: "user.manage" }));
    }
    let manage = Override::allow(Perm::Manage, Scope::Tenant, because(), office.until()).unwrap();
    let deputy = office.builder(&["viewer"]).with_override(manage).delegated_by(&head, &lent).build();
    let wide = Override::allow(Perm::View, Scope::Tenant, because(), office.until()).unwrap();
    let refused = deputy.granting(Perm::Manage).check(&Target::new(&target), &Change::Override(&wide));
    assert_eq!(refused, Err(GrantRefusal::Delegated { permission: "bill.view" }));
    assert_eq!(deputy.granting(Perm::Manage).check(&Target::new(&target), &Change::Assign("viewer")), Ok(()));
}

/// What the granter has reaches the person through a team, and what is lent would reach them through the tenant as well.
#[test]
fn what_was_lent_takes_nothing_from_what_the_granter_has() {
    let office = Office::new();
    let team = Uuid::now_v7();
    let in_team = || office.policy.actor(Subject::new(Uuid::now_v7(), office.tenant).team(team));
    let manage = Override::allow(Perm::Manage, Scope::Team, because(), office.until()).unwrap();
    let lent = office.lends(&["user.manage:tenant"]);
    let deputy = in_team().with_override(manage).delegated_by(&office.actor(&["head"]), &lent).build();
    let colleague = in_team().build();
    assert_eq!(deputy.granting(Perm::Manage).check(&Target::new(&colleague).other_owners(1), &Change::Suspend), Ok(()));
}

#[test]
fn only_what_is_flagged_can_be_lent_and_never_beyond_the_tenant() {
    let office = Office::new();
    let scopes = |entry: &str| Scopes::<Perm>::parse([entry]).unwrap();
    let refused = |entry| Delegation::new(scopes(entry), office.until(), because()).unwrap_err();
    assert_eq!(refused("bill.pay").kind(), ErrorKind::NotDelegable);
    assert_eq!(refused("bill.pay").to_string(), "`bill.pay` cannot be delegated");
    assert_eq!(refused("bill.view").kind(), ErrorKind::ScopeTooWide, "which alone means as far as it goes");
    let lent = office.lends(&["bill.view:office"]);
    assert_eq!(
        (lent.scopes().scope(Perm::View), lent.expires(), lent.reason()),
        (Scope::Office, office.until(), &because())
    );
}

#[test]
fn staff_and_strangers_lend_nothing_and_nobody_lends_to_themselves() {
    let office = Office::new();
    let asked = office.lends(&["bill.view:tenant"]);
    let scope = |lender: &Actor<Perm, Direct>, builder: ActorBuilder<Perm>| {
        builder.delegated_by(lender, &asked).build().scope(Perm::View)
    };
    assert_eq!(scope(&office.actor(&["head", "support"]), office.builder(&[])), Scope::None);
    let stranger = office.policy.actor(Subject::new(Uuid::now_v7(), Uuid::now_v7())).role("head").unwrap().build();
    assert_eq!(scope(&stranger, office.builder(&[])), Scope::None);
    let head = office.actor(&["head"]);
    let myself = office.policy.actor(head.subject().clone());
    assert_eq!(scope(&head, myself), Scope::None);
    assert_eq!(scope(&head, office.builder(&[])), Scope::Tenant);
}

/// In another team or office it would mean other rows than the delegator's.
#[test]
fn what_reaches_a_team_or_an_office_is_lent_to_those_who_are_in_no_other() {
    let office = Office::new();
    let [here, there, team] = std::array::from_fn(|_| Uuid::now_v7());
    let person = || Subject::new(Uuid::now_v7(), office.tenant);
    let lender = office.policy.actor(person().office(here).team(team)).role("lead").unwrap().build();
    let asked = office.lends(&["bill.view:tenant", "bill.enter:tenant"]);
    let scopes = |subject| {
        let deputy = office.policy.actor(subject).delegated_by(&lender, &asked).build();
        (deputy.scope(Perm::View), deputy.scope(Perm::Enter))
    };
    assert_eq!(scopes(person().office(here).team(team)), (Scope::Office, Scope::Team));
    assert_eq!(scopes(person().office(here).office(there)), (Scope::None, Scope::Team));
    assert_eq!(scopes(person().team(there)), (Scope::Office, Scope::None));
}

#[test]
fn a_denial_a_ceiling_and_a_missing_second_factor_limit_what_was_lent() {
    let office = Office::new();
    let head = office.builder(&["head"]).multi_factor().build();
    let asked = office.lends(&["bill.approve", "bill.enter"]);
    let builder = || office.builder(&[]).delegated_by(&head, &asked);
    assert_eq!(builder().build().scope(Perm::Approve), Scope::None, "the delegator's second factor is not lent");
    let decision = builder().build();
    let decision = decision.decide(Perm::Approve, &Resource::in_tenant(office.tenant));
    assert_eq!(decision.verdict(), Verdict::Denied(Refusal::SecondFactor));
    assert_eq!(builder().with_override(Override::deny(Perm::Enter, because())).build().scope(Perm::Enter), Scope::None);
    assert_eq!(builder().ceiling(Ceiling::Tenant, &Scopes::none()).build().scope(Perm::Enter), Scope::None);
    let staff = office.builder(&["support"]).delegated_by(&head, &asked).build();
    assert_eq!(staff.scope(Perm::Enter), Scope::None);
}

/// A loan is not the way around a separation.
#[test]
fn duties_that_are_kept_apart_are_not_lent_together() {
    let office = Office::new();
    let asked = office.lends(&["bill.approve", "bill.view:tenant"]);
    let lender = office.actor(&["approver", "viewer"]);
    let lent_to = |roles: &[&str]| {
        let deputy = office.builder(roles).delegated_by(&lender, &asked).multi_factor().build();
        deputy.scope(Perm::Approve)
    };
    assert_eq!((lent_to(&["viewer"]), lent_to(&["payer"])), (Scope::Tenant, Scope::None));
}

#[test]
fn a_deputy_does_not_approve_what_the_delegator_made() {
    let office = Office::new();
    let head = office.actor(&["head"]);
    let lent = office.lends(&["bill.approve"]);
    let made_by_head = office.bill().made_by(head.subject().user());
    let deputy = office.builder(&[]).delegated_by(&head, &lent).multi_factor().build();
    assert!(deputy.decide(Perm::Approve, &office.bill()).is_allowed());
    for row in [made_by_head, office.bill().made_by(deputy.subject().user())] {
        assert_eq!(deputy.decide(Perm::Approve, &row).verdict(), Verdict::Denied(Refusal::SameRecord));
    }
    let approver = office.builder(&["approver"]).delegated_by(&head, &lent).multi_factor().build();
    assert!(approver.decide(Perm::Approve, &made_by_head).is_allowed(), "who may without the loan");
}
