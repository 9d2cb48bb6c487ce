//! Duties that are kept apart: in a session, and on a record.

use std::collections::BTreeSet;

use stockade_rbac::{
    Actor, Ceiling, Direct, ErrorKind, Policy, Refusal, Resource, Rows, Scope, Scopes, SeparationRule, Subject, Verdict,
};
use uuid::Uuid;

use crate::permits::{Log, now};

stockade_rbac::permissions! {
    /// What a person of the office may do.
    pub enum Perm {
        Enter   = "bill.enter":   Write, up to Tenant;
        Approve = "bill.approve": Write, up to Tenant, audit;
        Pay     = "bill.pay":     Write, up to Tenant;
        View    = "bill.view":    Read,  up to Platform;
        Roam    = "desk.roam":    Read,  up to Platform, audit;
    }
}

const POLICY: &str = r#"
    role = [
        { name = "viewer", grants.tenant = ["bill.view"] },
        { name = "clerk", inherits = ["viewer"], grants.tenant = ["bill.enter"] },
        { name = "approver", grants.tenant = ["bill.approve"] },
        { name = "payer", grants.tenant = ["bill.pay"] },
        { name = "cashier", inherits = ["payer"] },
        { name = "support", staff = true, grants.platform = ["bill.view", "desk.roam"] },
    ]
    separation = [
        { name = "pay", kind = "dynamic", roles = ["approver", "payer"] },
        { name = "enter", kind = "static", roles = ["clerk", "payer", "approver"], at_most = 2 },
        { name = "four-eyes", kind = "same-record", first = "bill.enter", then = "bill.approve" },
    ]
"#;

fn tenant() -> Uuid {
    Uuid::from_u128(1)
}

fn actor(roles: &[&str]) -> Actor<Perm, Direct> {
    let subject = Subject::new(Uuid::now_v7(), tenant());
    Policy::compile(POLICY).unwrap().actor(subject).roles(roles).unwrap().build()
}

fn bill() -> Resource {
    Resource::in_tenant(tenant()).made_by(Uuid::from_u128(2))
}

#[test]
fn a_policy_lists_what_it_keeps_apart() {
    let policy = Policy::<Perm>::compile(POLICY).unwrap();
    let names: Vec<_> = policy.separations().iter().map(|separation| separation.name()).collect();
    assert_eq!(names, ["pay", "enter", "four-eyes"]);
    let roles = ["approver", "payer"].map(str::to_owned).to_vec();
    assert_eq!(policy.separations()[0].rule(), &SeparationRule::Dynamic { roles, at_most: 1 });
    assert_eq!(policy.separations()[2].rule(), &SeparationRule::SameRecord { first: Perm::Enter, then: Perm::Approve });
}

/// INCITS 359, dynamic separation of duty: the session has one of them or the other.
#[test]
fn roles_that_are_kept_apart_are_not_active_together() {
    let both = actor(&["viewer", "approver", "cashier"]);
    assert!(both.roles().eq(["viewer", "approver", "cashier"]) && both.active_roles().eq(["viewer"]));
    let decision = both.decide(Perm::Pay, &bill());
    assert_eq!(decision.verdict(), Verdict::Denied(Refusal::RoleNotActive));
    assert_eq!(
        decision.to_string(),
        "denied: a role that grants `bill.pay` is not active; roles: viewer; not active: approver, cashier"
    );
    assert!(both.decide(Perm::View, &bill()).is_allowed());

    let paying = both.with_roles_active(["cashier", "viewer"]).unwrap();
    assert!(paying.decide(Perm::Pay, &bill()).is_allowed() && !paying.decide(Perm::Approve, &bill()).is_allowed());
    let approving = paying.with_roles_active(["approver"]).unwrap();
    assert!(approving.decide(Perm::Approve, &bill()).is_allowed());
    assert!(!approving.decide(Perm::View, &bill()).is_allowed(), "only what was asked to be active is");
    assert!(approving.roles().eq(both.roles()));

    let refused = approving.with_roles_active(["approver", "cashier"]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Separated);
    assert_eq!(refused.to_string(), "separation `pay` keeps these roles from being active together");
}

#[test]
fn a_role_that_is_not_held_is_not_activated() {
    let refused = actor(&["viewer", "approver"]).with_roles_active(["viewer", "aprover"]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RoleNotHeld);
    assert_eq!(refused.to_string(), "role `aprover` is not held, so it cannot be active; did you mean `approver`?");
    let refused = actor(&["cashier"]).with_roles_active(["payer"]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::RoleNotHeld, "an inherited role is none that is held");
    assert!(actor(&["viewer"]).with_roles_active([""; 0]).unwrap().active_roles().next().is_none());
}

/// Who has by a change of the policy, or past the guard, what nobody may hold, uses one half of it or the other.
#[test]
fn roles_that_nobody_may_hold_together_are_not_active_together_either() {
    let text = POLICY.replace("kind = \"dynamic\"", "kind = \"static\"");
    let policy = Policy::<Perm>::compile(&text).unwrap();
    let subject = Subject::new(Uuid::now_v7(), tenant());
    let both = policy.actor(subject).roles(["approver", "payer"]).unwrap().build();
    assert_eq!((both.scope(Perm::Approve), both.scope(Perm::Pay)), (Scope::None, Scope::None));
    assert_eq!(both.with_roles_active(["payer"]).unwrap().scope(Perm::Pay), Scope::Tenant);
}

#[test]
fn more_than_two_roles_can_be_kept_apart_by_number() {
    assert!(actor(&["clerk", "payer"]).active_roles().eq(["clerk", "payer"]));
    let refused = actor(&["clerk", "payer", "approver"]).with_roles_active(["clerk", "payer"]);
    assert_eq!(refused.unwrap().scope(Perm::Enter), Scope::Tenant);
    assert_eq!(actor(&["clerk", "payer", "approver"]).scope(Perm::Enter), Scope::None);
}

/// A staff role that is not active would otherwise give its writes back.
#[test]
fn choosing_roles_does_not_shake_off_what_limits() {
    let staff = actor(&["clerk", "support"]).with_roles_active(["clerk"]).unwrap();
    assert_eq!((staff.scope(Perm::Enter), staff.scope(Perm::View)), (Scope::None, Scope::Tenant));
    let token = actor(&["clerk", "approver"]).attenuate(&Scopes::none().with(Perm::View, Scope::Tenant));
    let chosen = token.with_roles_active(["clerk"]).unwrap();
    assert_eq!((chosen.scope(Perm::Enter), chosen.scope(Perm::View)), (Scope::None, Scope::Tenant));
    let builder = Policy::compile(POLICY).unwrap().actor(Subject::new(Uuid::now_v7(), tenant()));
    let plan = builder.roles(["clerk", "payer"]).unwrap().ceiling(Ceiling::Tenant, &Scopes::none()).build();
    assert_eq!(plan.with_roles_active(["payer"]).unwrap().scope(Perm::Pay), Scope::None);
}

#[test]
fn who_made_a_record_does_not_approve_it() {
    let approver = actor(&["clerk", "approver"]);
    let own = bill().made_by(approver.subject().user());
    let decision = approver.decide(Perm::Approve, &own);
    assert_eq!(decision.verdict(), Verdict::Denied(Refusal::SameRecord));
    assert_eq!(decision.to_string(), "denied: `bill.approve` is kept from who made the record; roles: clerk, approver");
    assert!(approver.require::<perm::Approve>(&own).is_err());
    assert!(approver.decide(Perm::Enter, &own).is_allowed());
    let permit = approver.require::<perm::Approve>(&bill()).unwrap();
    assert!(now(permit.record(&mut Log::default())).is_ok());
}

/// Forgetting to state the maker must not turn the rule off.
#[test]
fn a_record_of_unknown_making_is_approved_by_nobody() {
    let approver = actor(&["approver"]);
    let nobody =
        Policy::compile(POLICY).unwrap().actor(Subject::new(Uuid::nil(), tenant())).role("approver").unwrap().build();
    for row in [Resource::in_tenant(tenant()), bill().made_by(Uuid::nil())] {
        let decision = approver.decide(Perm::Approve, &row);
        assert_eq!(decision.verdict(), Verdict::Denied(Refusal::MakerUnknown));
        assert!(decision.to_string().contains("who that is is not stated"));
    }
    assert!(!nobody.decide(Perm::Approve, &bill()).is_allowed(), "an unknown person might be the maker");
    assert!(actor(&["clerk"]).decide(Perm::Enter, &Resource::in_tenant(tenant())).is_allowed());
}

/// A list cannot ask who made a row where the table does not say so, nor whether it was a person who is unknown.
#[test]
fn a_list_that_cannot_tell_the_makers_is_empty() {
    static TOLD: Rows = Rows::new("books", "bills", "tenant_id").made_by("made_by");
    static UNTOLD: Rows = Rows::new("books", "bills", "tenant_id");
    let approver = actor(&["approver"]);
    let nobody =
        Policy::compile(POLICY).unwrap().actor(Subject::new(Uuid::nil(), tenant())).role("approver").unwrap().build();
    for (person, rows, shown) in [(&approver, &TOLD, true), (&approver, &UNTOLD, false), (&nobody, &TOLD, false)] {
        let filter = person.rows(Perm::Approve, rows);
        assert_eq!((filter.is_empty(), filter.matches(&bill())), (!shown, shown));
    }
    assert!(!approver.rows(Perm::Approve, &TOLD).matches(&bill().made_by(approver.subject().user())));
    // Nobody is kept from these.
    assert!(!actor(&["clerk"]).rows(Perm::Enter, &UNTOLD).is_empty());
}

#[test]
fn a_tenant_that_is_unknown_has_no_rows() {
    static BILLS: Rows = Rows::new("books", "bills", "tenant_id");
    let staff = actor(&["support"]);
    assert!(!staff.rows_in(Uuid::from_u128(77).into(), Perm::View, &BILLS).is_empty());
    assert!(staff.rows_in(Uuid::nil().into(), Perm::View, &BILLS).is_empty());
}

#[test]
fn a_scope_that_is_too_narrow_is_told_before_the_maker() {
    let stranger = actor(&["approver"]);
    let elsewhere = Resource::in_tenant(Uuid::from_u128(77)).made_by(stranger.subject().user());
    assert_eq!(stranger.decide(Perm::Approve, &elsewhere).verdict(), Verdict::Denied(Refusal::OtherTenant));
}

/// The functions of INCITS 359 that the names promise: what a session has is within what the person has, whichever roles are chosen.
#[test]
fn no_choice_of_roles_gives_more_than_all_roles_together() {
    let names = ["viewer", "clerk", "approver", "payer", "cashier"];
    let policy = Policy::<Perm>::compile(POLICY).unwrap();
    let all = names.iter().fold(Scopes::none(), |all, name| all.join(policy.role(name).unwrap().scopes()));
    let person = actor(&names);
    let mut seen = BTreeSet::new();
    for choice in 0..1 << names.len() {
        let chosen = names.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1).map(|(_, name)| *name);
        let chosen: Vec<_> = chosen.collect();
        let apart = chosen.contains(&"approver") && (chosen.contains(&"payer") || chosen.contains(&"cashier"));
        match person.with_roles_active(&chosen) {
            Ok(session) => {
                assert!(!apart && session.active_roles().eq(chosen.iter().copied()));
                let scopes: Vec<_> =
                    [Perm::Enter, Perm::Approve, Perm::Pay, Perm::View].map(|perm| session.scope(perm)).to_vec();
                assert!(
                    [Perm::Enter, Perm::Approve, Perm::Pay].iter().all(|perm| session.scope(*perm) <= all.scope(*perm))
                );
                seen.insert(scopes);
            }
            Err(error) => assert!(apart && error.kind() == ErrorKind::Separated, "{chosen:?}"),
        }
    }
    assert!(seen.len() > 5);
}
