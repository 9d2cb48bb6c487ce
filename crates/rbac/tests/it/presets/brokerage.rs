//! `presets/brokerage.toml`: six tiers from own rows to every tenant.

use stockade_rbac::{Kind, Permission, Policy, Reason, Rows, Scope, Timebox};

use super::{actor, holders, reach, rows};
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

static LOADS: Rows = Rows::new("freight", "loads", "tenant_id").owner("owner_id").team("team_id").office("office_id");

pub(super) fn policy() -> Policy<Perm> {
    super::preset(include_str!("../../../presets/brokerage.toml"))
}

#[test]
fn there_are_six_tiers_and_the_matrix_is_the_approved_one() {
    let policy = policy();
    assert!(policy.roles().iter().map(|role| role.name()).eq(TIERS));
    assert_eq!(policy.matrix().to_markdown(), include_str!("../../data/brokerage.md"));
}

#[test]
fn a_tier_has_all_of_the_tier_below_and_more() {
    let policy = policy();
    for pair in TIERS[..5].windows(2) {
        let [below, above] = [pair[0], pair[1]].map(|tier| policy.role(tier).unwrap().scopes());
        assert!(below.is_within(above) && !above.is_within(below), "{pair:?}");
    }
}

#[test]
fn visibility_widens_from_own_to_team_to_office_to_tenant_to_platform() {
    let policy = policy();
    let scopes = [Scope::Own, Scope::Team, Scope::Team, Scope::Office, Scope::Tenant, Scope::Platform];
    assert_eq!(TIERS.map(|tier| reach(&policy, tier, Perm::LoadView)), scopes);
}

#[test]
fn what_a_tier_may_see_is_what_its_lists_are_filtered_by() {
    let policy = policy();
    for tier in TIERS {
        let person = actor(&policy, &[tier]);
        for &permission in Perm::ALL {
            for row in rows() {
                let filter = person.rows_in(row.tenant(), permission, &LOADS);
                let decided = person.decide(permission, &row).is_allowed();
                assert_eq!(filter.matches(&row), decided, "{tier} {permission} {row:?}");
            }
            let at_home = person.rows(permission, &LOADS);
            assert!(!at_home.matches(&rows()[4]), "{tier}: a list of the own tenant shows another");
        }
    }
}

#[test]
fn an_independent_agent_works_on_own_rows_only() {
    let policy = policy();
    for permission in [Perm::LoadView, Perm::LoadEdit, Perm::AccountView, Perm::AccountEdit, Perm::SettlementView] {
        assert_eq!(reach(&policy, "agent-ic", permission), Scope::Own);
    }
    assert_eq!(reach(&policy, "agent-ic", Perm::DriverView), Scope::None);
}

#[test]
fn an_employed_agent_sees_the_team_and_edits_own_rows() {
    let policy = policy();
    for permission in [Perm::LoadView, Perm::AccountView, Perm::DriverView] {
        assert_eq!(reach(&policy, "agent-w2", permission), Scope::Team);
    }
    for permission in [Perm::LoadEdit, Perm::AccountEdit, Perm::SettlementView] {
        assert_eq!(reach(&policy, "agent-w2", permission), Scope::Own);
    }
}

#[test]
fn a_senior_agent_edits_for_the_team_and_approves_nothing() {
    let policy = policy();
    for permission in [Perm::LoadEdit, Perm::AccountEdit, Perm::SettlementView] {
        assert_eq!(reach(&policy, "senior-agent", permission), Scope::Team);
    }
    assert_eq!(reach(&policy, "senior-agent", Perm::SettlementApprove), Scope::None);
}

#[test]
fn an_office_manager_approves_settlements_of_the_office_and_keeps_no_ledger() {
    let policy = policy();
    assert_eq!(reach(&policy, "office-manager", Perm::SettlementApprove), Scope::Office);
    assert_eq!(reach(&policy, "office-manager", Perm::UserView), Scope::Office);
    for permission in [Perm::LedgerView, Perm::LedgerPost, Perm::PeriodClose, Perm::UserManage] {
        assert_eq!(reach(&policy, "office-manager", permission), Scope::None);
    }
}

#[test]
fn only_an_admin_reveals_numbers_posts_closes_and_manages_users() {
    let policy = policy();
    for permission in [Perm::SsnReveal, Perm::LedgerPost, Perm::PeriodClose, Perm::UserManage] {
        assert_eq!(holders(&policy, permission), ["admin"], "{permission}");
    }
    assert_eq!(holders(&policy, Perm::AuditView), ["admin", "god-mode"]);
}

#[test]
fn god_mode_sees_every_tenant_and_writes_in_none_by_design() {
    let policy = policy();
    let god = actor(&policy, &["god-mode"]);
    for &permission in Perm::ALL {
        let expected = match permission {
            Perm::SsnReveal => Scope::None,
            _ if permission.kind() == Kind::Write => Scope::None,
            _ => Scope::Platform,
        };
        assert_eq!(super::tried(&god, permission), expected, "{permission}");
    }
}

#[test]
fn only_god_mode_impersonates() {
    let policy = policy();
    assert_eq!(holders(&policy, Perm::Impersonate), ["god-mode"]);
    let reason = Reason::new("ticket 4711").unwrap();
    let target = actor(&policy, &["agent-ic"]);
    for tier in &TIERS[..5] {
        let asked = actor(&policy, &[tier]).impersonate::<perm::Impersonate>(&target, reason.clone(), Timebox::MAX);
        assert!(asked.is_err(), "{tier}");
    }
}

#[test]
fn god_mode_sees_sealed_fields_by_impersonation_only_and_both_steps_are_recorded() {
    let policy = policy();
    let (god, admin) = (actor(&policy, &["god-mode"]), actor(&policy, &["admin"]));
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
