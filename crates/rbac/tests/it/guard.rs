//! Each rule of the grant guard, with the attack that it stops.

mod exhaustive;
mod sequences;

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{
    Actor, ActorBuilder, Ceiling, Change, Direct, GrantRefusal, ManualClock, Override, Policy, Reason, Refusal,
    Resource, Scope, Scopes, ShareLevel, Subject, Target,
};
use uuid::Uuid;

stockade_rbac::permissions! {
    /// What a person of the firm may do.
    pub enum Perm {
        View   = "load.view":      Read,  up to Platform;
        Edit   = "load.edit":      Write, up to Tenant;
        Pay    = "bill.pay":       Write, up to Tenant;
        Close  = "ledger.close":   Write, up to Tenant, audit, mfa;
        Manage = "user.manage":    Write, up to Tenant;
        Vouch  = "staff.vouch":    Read,  up to Platform;
    }
}

const POLICY: &str = r#"
    role = [
        { name = "agent", grants.own = ["load.view"] },
        { name = "clerk", inherits = ["agent"], grants.tenant = ["bill.pay"] },
        { name = "lead", grants.team = ["load.view", "load.edit", "user.manage"] },
        { name = "manager", inherits = ["lead"], grants.office = ["load.view", "load.edit", "user.manage"] },
        { name = "auditor", grants.tenant = ["load.view"] },
        { name = "admin", inherits = ["manager"], grants.tenant = ["load.view", "load.edit", "user.manage", "ledger.close"] },
        { name = "twin", inherits = ["admin"], owner = true },
        { name = "owner", inherits = ["admin"], owner = true },
        { name = "base", assignable = false },
        { name = "heir", inherits = ["base"] },
        { name = "support", staff = true, grants.platform = ["load.view", "staff.vouch"] },
    ]

    [[separation]]
    name = "look-and-pay"
    kind = "static"
    roles = ["auditor", "clerk"]
"#;

struct Firm {
    policy: Policy<Perm>,
    tenant: Uuid,
    offices: [Uuid; 2],
    teams: [Uuid; 2],
}

fn because() -> Reason {
    Reason::new("cover").unwrap()
}

fn tomorrow() -> DateTime<Utc> {
    Utc::now() + TimeDelta::days(1)
}

impl Firm {
    fn new() -> Self {
        let [tenant, a, b, c, d] = std::array::from_fn(|_| Uuid::now_v7());
        Self { policy: Policy::compile(POLICY).unwrap(), tenant, offices: [a, b], teams: [c, d] }
    }

    fn person(&self) -> Subject {
        Subject::new(Uuid::now_v7(), self.tenant)
    }

    fn with(&self, subject: Subject, roles: &[&str]) -> ActorBuilder<Perm> {
        self.policy.actor(subject).roles(roles).unwrap()
    }

    fn actor(&self, roles: &[&str]) -> Actor<Perm, Direct> {
        self.with(self.person(), roles).multi_factor().build()
    }
}

fn ask(
    granter: &Actor<Perm, Direct>,
    target: &Actor<Perm, Direct>,
    change: Change<'_, Perm>,
) -> Result<(), GrantRefusal> {
    granter.granting(Perm::Manage).check(&Target::new(target), &change)
}

fn why_not(granter: &Actor<Perm, Direct>, target: &Actor<Perm, Direct>, change: Change<'_, Perm>) -> GrantRefusal {
    ask(granter, target, change).unwrap_err()
}

#[test]
fn nobody_gives_what_they_lack() {
    let firm = Firm::new();
    let (admin, nobody) = (firm.actor(&["admin"]), firm.actor(&[]));
    assert_eq!(ask(&admin, &nobody, Change::Assign("manager")), Ok(()));
    assert_eq!(ask(&admin, &nobody, Change::Assign("admin")), Ok(()), "an equal may be made");
    let refused = why_not(&admin, &nobody, Change::Assign("clerk"));
    let lacks = GrantRefusal::Lacks { permission: "bill.pay", granted: Scope::Tenant, held: Scope::None };
    assert_eq!(refused, lacks);
    assert_eq!(refused.to_string(), "`bill.pay` at tenant is more than the granter has, which is none");

    let allow = |permission, scope| Override::allow(permission, scope, because(), tomorrow()).unwrap();
    assert_eq!(ask(&admin, &nobody, Change::Override(&allow(Perm::Edit, Scope::Tenant))), Ok(()));
    assert!(matches!(
        why_not(&admin, &nobody, Change::Override(&allow(Perm::Pay, Scope::Own))),
        GrantRefusal::Lacks { permission: "bill.pay", granted: Scope::Own, .. }
    ));
}

#[test]
fn a_permission_is_not_given_wider_than_it_is_held() {
    let firm = Firm::new();
    let home = |subject: Subject| subject.office(firm.offices[0]);
    let manager = firm.with(home(firm.person()), &["manager"]).build();
    let colleague = firm.with(home(firm.person()), &[]).build();
    assert_eq!(ask(&manager, &colleague, Change::Assign("manager")), Ok(()));
    assert!(matches!(
        why_not(&manager, &colleague, Change::Assign("auditor")),
        GrantRefusal::Lacks { permission: "load.view", granted: Scope::Tenant, held: Scope::Office }
    ));
}

/// Two managers who give each other's people what they have would have both offices. So would a friend who is in both.
#[test]
fn what_is_held_in_one_office_is_not_given_in_another() {
    let firm = Firm::new();
    let [here, there] = firm.offices;
    let manager = firm.with(firm.person().office(here), &["manager"]).build();
    let friend = firm.with(firm.person().office(here).office(there), &[]).build();
    let refused = why_not(&manager, &friend, Change::Assign("manager"));
    assert!(
        matches!(refused, GrantRefusal::Elsewhere { permission: "load.view", granted: Scope::Office, .. }),
        "{refused}"
    );
    let both = firm.with(firm.person().office(here).office(there), &["manager"]).build();
    assert_eq!(ask(&both, &friend, Change::Assign("manager")), Ok(()));
    assert_eq!(ask(&firm.actor(&["admin"]), &friend, Change::Assign("manager")), Ok(()));

    let lead = firm.with(firm.person().team(firm.teams[0]), &["lead"]).build();
    let mate = firm.with(firm.person().team(firm.teams[0]).team(firm.teams[1]), &[]).build();
    assert!(matches!(why_not(&lead, &mate, Change::Assign("lead")), GrantRefusal::Elsewhere { .. }));
}

#[test]
fn the_permission_to_grant_has_to_reach_the_person() {
    let firm = Firm::new();
    let manager = firm.with(firm.person().office(firm.offices[0]), &["manager"]).build();
    let elsewhere = firm.with(firm.person().office(firm.offices[1]), &[]).build();
    let GrantRefusal::NotPermitted(denied) = why_not(&manager, &elsewhere, Change::Suspend) else { panic!() };
    assert_eq!((denied.permission(), denied.to_string().as_str()), ("user.manage", "not permitted: `user.manage`"));
    assert!(matches!(denied.refusal(), Refusal::ScopeTooNarrow { .. }));

    let stranger = firm.policy.actor(Subject::new(Uuid::now_v7(), Uuid::now_v7())).build();
    let GrantRefusal::NotPermitted(denied) = why_not(&firm.actor(&["owner"]), &stranger, Change::Remove) else {
        panic!()
    };
    assert_eq!(denied.refusal(), Refusal::OtherTenant);
    assert!(matches!(why_not(&firm.actor(&["clerk"]), &elsewhere, Change::Remove), GrantRefusal::NotPermitted(_)));
}

#[test]
fn nobody_promotes_themselves() {
    let firm = Firm::new();
    let admin = firm.actor(&["admin", "agent"]);
    let (allow, deny) = (
        Override::allow(Perm::Edit, Scope::Own, because(), tomorrow()).unwrap(),
        Override::deny(Perm::Edit, because()),
    );
    for change in [Change::Assign("agent"), Change::Override(&allow), Change::Lift(&deny), Change::Reinstate] {
        assert_eq!(why_not(&admin, &admin, change), GrantRefusal::OwnPromotion, "{change:?}");
    }
    for change in
        [Change::Revoke("admin"), Change::Override(&deny), Change::Lift(&allow), Change::Suspend, Change::Remove]
    {
        assert_eq!(ask(&admin, &admin, change), Ok(()), "{change:?}");
    }
    let again = firm.with(admin.subject().clone(), &[]).build();
    assert_eq!(
        why_not(&admin, &again, Change::Assign("agent")),
        GrantRefusal::OwnPromotion,
        "by accepting an invitation"
    );
}

/// Who loses a staff role writes again.
#[test]
fn nobody_drops_their_own_staff_role() {
    let firm = Firm::new();
    let staff = firm.actor(&["admin", "support"]);
    let guard = staff.granting(Perm::Vouch);
    assert_eq!(guard.check(&Target::new(&staff), &Change::Revoke("support")), Err(GrantRefusal::OwnPromotion));
    assert_eq!(guard.check(&Target::new(&staff), &Change::Revoke("admin")), Ok(()));
}

#[test]
fn nobody_touches_somebody_above_them() {
    let firm = Firm::new();
    let admin = firm.actor(&["admin"]);
    let clerk = firm.actor(&["clerk"]);
    let above = GrantRefusal::TargetAbove { permission: "bill.pay", has: Scope::Tenant, held: Scope::None };
    let deny = Override::deny(Perm::Pay, because());
    let changes = [
        Change::Assign("agent"),
        Change::Revoke("clerk"),
        Change::Override(&deny),
        Change::Lift(&deny),
        Change::Suspend,
        Change::Reinstate,
        Change::Remove,
    ];
    for change in changes {
        assert_eq!(why_not(&admin, &clerk, change), above, "{change:?}");
    }
}

/// Neither a denial nor a missing second factor nor a token makes somebody lower than they are.
#[test]
fn what_a_person_lacks_at_the_moment_does_not_put_them_below() {
    let firm = Firm::new();
    let limited = [
        firm.with(firm.person(), &["clerk"]).with_override(Override::deny(Perm::Pay, because())).build(),
        firm.with(firm.person(), &["clerk"]).ceiling(Ceiling::Session, &Scopes::none()).build(),
        firm.actor(&["clerk"]).attenuate(&Scopes::none()),
    ];
    for clerk in &limited {
        assert!(matches!(why_not(&firm.actor(&["admin"]), clerk, Change::Remove), GrantRefusal::TargetAbove { .. }));
    }
    let single = firm.with(firm.person(), &["admin"]).build();
    assert_eq!(single.scope(Perm::Close), Scope::None);
    let manager = firm.actor(&["manager"]);
    let admin = firm.with(firm.person(), &["admin"]).build();
    let whole = firm.with(firm.person().office(firm.offices[0]), &["manager"]).build();
    let inside = firm.with(admin.subject().clone().office(firm.offices[0]), &["admin"]).build();
    assert!(matches!(why_not(&whole, &inside, Change::Suspend), GrantRefusal::TargetAbove { .. }));
    assert!(matches!(why_not(&manager, &inside, Change::Suspend), GrantRefusal::NotPermitted(_)));
    let refused = why_not(&single, &firm.actor(&[]), Change::Assign("admin"));
    assert!(
        matches!(refused, GrantRefusal::Lacks { permission: "ledger.close", .. }),
        "without a second factor: {refused}"
    );
}

#[test]
fn to_take_needs_dominance_and_not_possession_of_what_is_taken() {
    let firm = Firm::new();
    let admin = firm.actor(&["admin"]);
    assert_eq!(ask(&admin, &firm.actor(&["agent", "lead"]), Change::Revoke("lead")), Ok(()));
    assert_eq!(ask(&admin, &firm.actor(&["agent"]), Change::Revoke("gone-from-the-policy")), Ok(()));
    assert_eq!(ask(&admin, &firm.actor(&["admin"]), Change::Suspend), Ok(()), "equals are not above each other");
    let expired = Override::allow(Perm::Pay, Scope::Own, because(), Utc::now() - TimeDelta::hours(1)).unwrap();
    let target = firm.with(firm.person(), &["agent"]).with_override(expired.clone()).build();
    assert_eq!(ask(&admin, &target, Change::Lift(&expired)), Ok(()));
}

#[test]
fn a_token_gives_nothing_and_neither_does_an_authority_that_has_ended() {
    let firm = Firm::new();
    let owner = firm.actor(&["owner"]);
    let token = owner.attenuate(&Scopes::all());
    let target = firm.actor(&[]);
    for change in [Change::Assign("agent"), Change::Suspend] {
        assert_eq!(why_not(&token, &target, change), GrantRefusal::Token);
    }
    assert_eq!(
        token.granting(Perm::Manage).check_share(&Resource::in_tenant(firm.tenant), ShareLevel::View, &[]),
        Err(GrantRefusal::Token)
    );

    let clock = ManualClock::at(Utc::now());
    let policy = firm.policy.clone().with_clock(clock.clone());
    let allow = Override::allow(Perm::View, Scope::Own, because(), tomorrow()).unwrap();
    let granter = policy.actor(firm.person()).role("owner").unwrap().with_override(allow).build();
    assert_eq!(ask(&granter, &target, Change::Assign("agent")), Ok(()));
    clock.advance(TimeDelta::days(2));
    let GrantRefusal::NotPermitted(denied) = why_not(&granter, &target, Change::Assign("agent")) else { panic!() };
    assert!(matches!(denied.refusal(), Refusal::Expired { .. }));
}

#[test]
fn a_session_or_a_denial_limits_what_is_given() {
    let firm = Firm::new();
    let target = firm.actor(&[]);
    let session = Scopes::all().with(Perm::Edit, Scope::Team);
    let bound = firm.with(firm.person(), &["admin"]).multi_factor().ceiling(Ceiling::Session, &session).build();
    assert!(matches!(
        why_not(&bound, &target, Change::Assign("manager")),
        GrantRefusal::Lacks { permission: "load.edit", .. }
    ));
    let deny = Override::deny(Perm::View, because());
    let denied = firm.with(firm.person(), &["admin"]).multi_factor().with_override(deny).build();
    assert!(matches!(
        why_not(&denied, &target, Change::Assign("agent")),
        GrantRefusal::Lacks { permission: "load.view", .. }
    ));
}

#[test]
fn only_an_owner_makes_or_touches_an_owner() {
    let firm = Firm::new();
    let (admin, owner) = (firm.actor(&["admin"]), firm.actor(&["owner"]));
    assert_eq!(why_not(&admin, &firm.actor(&[]), Change::Assign("twin")), GrantRefusal::OwnerOnly);
    assert_eq!(
        why_not(&admin, &owner, Change::Assign("agent")),
        GrantRefusal::OwnerOnly,
        "who has no more than an admin"
    );
    assert_eq!(ask(&owner, &firm.actor(&[]), Change::Assign("twin")), Ok(()));
}

#[test]
fn the_last_owner_cannot_go() {
    let firm = Firm::new();
    let (owner, other) = (firm.actor(&["owner"]), firm.actor(&["twin"]));
    let deny = Override::deny(Perm::Manage, because());
    let going = [Change::Revoke("owner"), Change::Suspend, Change::Remove, Change::Override(&deny)];
    for granter in [&owner, &other] {
        let guard = granter.granting(Perm::Manage);
        for change in &going {
            assert_eq!(guard.check(&Target::new(&owner), change), Err(GrantRefusal::LastOwner), "{change:?}");
            assert_eq!(guard.check(&Target::new(&owner).other_owners(1), change), Ok(()), "{change:?}");
        }
        assert_eq!(guard.check(&Target::new(&owner), &Change::Revoke("agent")), Ok(()));
    }
    let twice = firm.actor(&["owner", "twin"]);
    assert_eq!(ask(&twice, &twice, Change::Revoke("owner")), Ok(()), "still an owner");
    assert_eq!(ask(&owner, &firm.actor(&["admin"]), Change::Remove), Ok(()));
}

#[test]
fn staff_are_made_and_touched_by_staff_alone() {
    let firm = Firm::new();
    let (owner, support) = (firm.actor(&["owner"]), firm.actor(&["support"]));
    assert_eq!(why_not(&owner, &firm.actor(&[]), Change::Assign("support")), GrantRefusal::StaffOnly);
    assert_eq!(why_not(&owner, &support, Change::Remove), GrantRefusal::StaffOnly);
    let GrantRefusal::NotPermitted(denied) = why_not(&support, &firm.actor(&[]), Change::Assign("agent")) else {
        panic!()
    };
    assert_eq!(denied.refusal(), Refusal::NotGranted, "staff do not write");
    let vouch = support.granting(Perm::Vouch);
    assert_eq!(vouch.check(&Target::new(&firm.actor(&[])), &Change::Assign("support")), Ok(()));
    assert!(matches!(
        vouch.check(&Target::new(&firm.actor(&[])), &Change::Assign("manager")),
        Err(GrantRefusal::Lacks { permission: "load.edit", .. })
    ));
}

#[test]
fn a_role_that_is_not_there_or_only_inherited_is_not_given() {
    let firm = Firm::new();
    let (owner, target) = (firm.actor(&["owner"]), firm.actor(&[]));
    for name in ["base", "nobody-knows", ""] {
        assert_eq!(why_not(&owner, &target, Change::Assign(name)), GrantRefusal::NotAssignable);
    }
}

#[test]
fn static_separation_holds_where_a_role_is_given() {
    let firm = Firm::new();
    let both = firm.actor(&["admin", "clerk"]);
    let refused = why_not(&both, &firm.actor(&["auditor"]), Change::Assign("clerk"));
    assert_eq!(refused, GrantRefusal::Separation { name: "look-and-pay".to_owned() });
    assert_eq!(refused.to_string(), "separation `look-and-pay` keeps this apart from what the person holds");
    assert_eq!(ask(&both, &firm.actor(&["agent"]), Change::Assign("clerk")), Ok(()));
    assert_eq!(ask(&both, &firm.actor(&["clerk"]), Change::Assign("clerk")), Ok(()));
}

#[test]
fn who_may_give_which_role_can_be_listed() {
    let source = r#"
        role = [
            { name = "agent", grants.own = ["load.view"] },
            { name = "lead", inherits = ["agent"], assigns = ["agent"], grants.tenant = ["user.manage"] },
            { name = "head", inherits = ["lead"], assigns = ["lead"] },
            { name = "idle", grants.tenant = ["load.view", "user.manage"] },
        ]
    "#;
    let policy = Policy::<Perm>::compile(source).unwrap();
    let tenant = Uuid::now_v7();
    let actor = |role| policy.actor(Subject::new(Uuid::now_v7(), tenant)).role(role).unwrap().build();
    let target = policy.actor(Subject::new(Uuid::now_v7(), tenant)).build();
    let may = |giver, role| ask(&actor(giver), &target, Change::Assign(role));
    assert_eq!((may("lead", "agent"), may("head", "agent"), may("head", "lead")), (Ok(()), Ok(()), Ok(())));
    for (giver, role) in [("lead", "lead"), ("head", "head"), ("idle", "agent")] {
        assert_eq!(may(giver, role), Err(GrantRefusal::NotAssigned), "{giver} {role}");
    }
    let names = |role| policy.assigns(role).unwrap().map(|role| role.name()).collect::<Vec<_>>();
    assert_eq!((names("head"), names("idle").len()), (vec!["agent", "lead"], 0));
    assert!(Firm::new().policy.assigns("owner").is_none());
}

#[test]
fn a_row_is_shared_by_who_reaches_it_without_a_share() {
    let firm = Firm::new();
    let lead = firm.with(firm.person().team(firm.teams[0]), &["lead"]).build();
    let row = Resource::in_tenant(firm.tenant).team(firm.teams[0]);
    let far = Resource::in_tenant(firm.tenant).team(firm.teams[1]);
    let used = [Perm::View, Perm::Edit, Perm::Pay];
    let guard = lead.granting(Perm::Edit);
    assert_eq!(guard.check_share(&row, ShareLevel::View, &used), Ok(()));
    assert!(matches!(
        guard.check_share(&row, ShareLevel::Edit, &used),
        Err(GrantRefusal::Lacks { permission: "bill.pay", granted: Scope::Team, held: Scope::None })
    ));
    assert_eq!(guard.check_share(&row, ShareLevel::Edit, &used[..2]), Ok(()));
    let shared = far.shared_with(lead.subject().user(), ShareLevel::Edit);
    assert!(lead.decide(Perm::Edit, &shared).is_allowed());
    for row in [far, shared] {
        assert!(matches!(guard.check_share(&row, ShareLevel::View, &used), Err(GrantRefusal::NotPermitted(_))));
    }
}
