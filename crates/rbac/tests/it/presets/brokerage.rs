//! `presets/brokerage.toml`: six tiers from own rows to every tenant.

use stockade_rbac::{Actor, Direct, Kind, Permission, Policy, Reason, Resource, Scope, Subject, Timebox};
use uuid::Uuid;

use crate::permits::{Log, now};

stockade_rbac::permissions! {
    /// What a person of the brokerage may do.
    pub enum Perm {
        LoadView          = "load.view":          Read,  up to Platform;
        LoadEdit          = "load.edit":          Write, up to Tenant;
        AccountView       = "account.view":       Read,  up to Platform;
        AccountEdit       = "account.edit":       Write, up to Tenant;
        DriverView        = "driver.view":        Read,  up to Platform;
        SsnReveal         = "driver.ssn.reveal":  Read,  up to Tenant, audit;
        SettlementView    = "settlement.view":    Read,  up to Platform;
        SettlementApprove = "settlement.approve": Write, up to Tenant, audit;
        LedgerView        = "ledger.view":        Read,  up to Platform;
        LedgerPost        = "ledger.post":        Write, up to Tenant, audit;
        PeriodClose       = "ledger.close":       Write, up to Tenant, audit, mfa;
        UserView          = "user.view":          Read,  up to Platform;
        UserManage        = "user.manage":        Write, up to Tenant, audit;
        AuditView         = "audit.view":         Read,  up to Platform;
        Impersonate       = "user.impersonate":   Read,  up to Platform, audit, mfa;
    }
}

const TIERS: [&str; 6] = ["agent-ic", "agent-w2", "senior-agent", "office-manager", "admin", "god-mode"];

fn policy() -> Policy<Perm> {
    super::preset(include_str!("../../../presets/brokerage.toml"))
}

fn actor(tier: &str) -> Actor<Perm, Direct> {
    let [user, tenant, team, office] = [1, 2, 3, 4].map(Uuid::from_u128);
    let subject = Subject::new(user, tenant).team(team).office(office);
    policy().actor(subject).role(tier).unwrap().multi_factor().build()
}

/// A row at each distance from that actor, nearest first.
fn rows() -> [Resource; 5] {
    let [user, tenant, team, office] = [1, 2, 3, 4].map(Uuid::from_u128);
    let row = Resource::in_tenant(tenant);
    [row.owner(user), row.team(team), row.office(office), row, Resource::in_tenant(Uuid::from_u128(9))]
}

fn reach(tier: &str, permission: Perm) -> [bool; 5] {
    rows().map(|row| actor(tier).decide(permission, &row).is_allowed())
}

#[test]
fn there_are_six_tiers_and_the_matrix_is_the_approved_one() {
    let policy = policy();
    assert!(policy.roles().iter().map(|role| role.name()).eq(TIERS));
    assert_eq!(policy.matrix().to_markdown(), include_str!("../../data/brokerage.md"));
}

#[test]
fn a_tier_has_all_of_the_tier_below() {
    let policy = policy();
    for pair in TIERS[..5].windows(2) {
        let [below, above] = [pair[0], pair[1]].map(|tier| policy.role(tier).unwrap().scopes());
        assert!(below.is_within(above) && below != above, "{pair:?}");
    }
}

#[test]
fn visibility_widens_from_own_to_team_to_office_to_tenant_to_platform() {
    assert_eq!(reach("agent-ic", Perm::LoadView), [true, false, false, false, false]);
    assert_eq!(reach("agent-w2", Perm::LoadView), [true, true, false, false, false]);
    assert_eq!(reach("senior-agent", Perm::LoadView), [true, true, false, false, false]);
    assert_eq!(reach("office-manager", Perm::LoadView), [true, true, true, false, false]);
    assert_eq!(reach("admin", Perm::LoadView), [true, true, true, true, false]);
    assert_eq!(reach("god-mode", Perm::LoadView), [true; 5]);
}

#[test]
fn an_independent_agent_works_on_own_rows_only() {
    let own = [true, false, false, false, false];
    for permission in [Perm::LoadEdit, Perm::AccountView, Perm::AccountEdit, Perm::SettlementView] {
        assert_eq!(reach("agent-ic", permission), own);
    }
    assert_eq!(reach("agent-ic", Perm::DriverView), [false; 5]);
}

#[test]
fn an_employed_agent_sees_the_team_and_edits_own_rows() {
    assert_eq!(reach("agent-w2", Perm::AccountView), [true, true, false, false, false]);
    assert_eq!(reach("agent-w2", Perm::LoadEdit), [true, false, false, false, false]);
}

#[test]
fn a_senior_agent_edits_for_the_team() {
    assert_eq!(reach("senior-agent", Perm::LoadEdit), [true, true, false, false, false]);
}

#[test]
fn an_office_manager_approves_settlements_of_the_office_and_keeps_no_ledger() {
    assert_eq!(reach("office-manager", Perm::SettlementApprove), [true, true, true, false, false]);
    assert_eq!(reach("office-manager", Perm::LedgerView), [false; 5]);
}

#[test]
fn only_an_admin_reveals_numbers_posts_closes_and_manages_users() {
    for permission in [Perm::SsnReveal, Perm::LedgerPost, Perm::PeriodClose, Perm::UserManage, Perm::AuditView] {
        let holders = TIERS.into_iter().filter(|tier| reach(tier, permission)[0] && *tier != "god-mode");
        assert!(holders.eq(["admin"]), "{permission}");
    }
    assert_eq!(reach("god-mode", Perm::SsnReveal), [false; 5]);
}

#[test]
fn no_tier_of_a_tenant_reaches_another_tenant() {
    for tier in &TIERS[..5] {
        assert!(Perm::ALL.iter().all(|&permission| !reach(tier, permission)[4]), "{tier}");
    }
}

#[test]
fn god_mode_is_blocked_from_writing_by_design() {
    let god = actor("god-mode");
    for &permission in Perm::ALL.iter().filter(|permission| permission.kind() == Kind::Write) {
        assert_eq!(god.scope(permission), Scope::None);
    }
}

#[test]
fn god_mode_sees_sealed_fields_by_impersonation_only_and_both_steps_are_recorded() {
    let (god, admin) = (actor("god-mode"), actor("admin"));
    let [.., row, _] = rows();
    assert!(god.require::<perm::SsnReveal>(&row).is_err());
    let mut log = Log::default();
    let reason = Reason::new("ticket 4711").unwrap();
    let acting = god.impersonate::<perm::Impersonate>(&admin, reason, Timebox::MAX).unwrap();
    let acting = now(acting.record(&mut log)).unwrap();
    let _permit = now(acting.require::<perm::SsnReveal>(&row).unwrap().record(&mut log)).unwrap();
    assert!(log.records.iter().map(|record| record.permission).eq(["user.impersonate", "driver.ssn.reveal"]));
    assert_eq!(acting.scope(Perm::LedgerPost), Scope::None);
}
