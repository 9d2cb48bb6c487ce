//! `presets/erp.toml`: owner, admin and member, and a role for each module.

use stockade_rbac::{Kind, Permission, Policy, Reason, Scope, Timebox};

use super::{actor, all_of, holders, reach, rows, tried};
use crate::permits::{Log, now};

stockade_rbac::permissions! {
    /// What a person of the organisation may do.
    pub enum Perm {
        MemberView        = "member.view":        Read,  up to Tenant;
        MemberManage      = "member.manage":      Write, up to Tenant, audit, mfa;
        SettingsConfigure = "settings.configure": Write, up to Tenant, audit;
        BillingManage     = "billing.manage":     Write, up to Tenant, audit, mfa;
        DataExport        = "data.export":        Read,  up to Tenant, audit;
        ExpenseView       = "expense.view":       Read,  up to Tenant;
        ExpenseSubmit     = "expense.submit":     Write, up to Own;
        ExpenseApprove    = "expense.approve":    Write, up to Tenant, audit;
        OrderView         = "order.view":         Read,  up to Tenant;
        OrderEdit         = "order.edit":         Write, up to Tenant;
        PurchaseView      = "purchase.view":      Read,  up to Tenant;
        PurchaseEdit      = "purchase.edit":      Write, up to Tenant;
        PurchaseApprove   = "purchase.approve":   Write, up to Tenant, audit;
        StockView         = "stock.view":         Read,  up to Tenant;
        StockAdjust       = "stock.adjust":       Write, up to Tenant, audit;
        LedgerView        = "ledger.view":        Read,  up to Tenant;
        LedgerPost        = "ledger.post":        Write, up to Tenant, audit;
        PeriodClose       = "ledger.close":       Write, up to Tenant, audit, mfa;
        PayrollView       = "payroll.view":       Read,  up to Tenant, audit;
        PayrollRun        = "payroll.run":        Write, up to Tenant, audit, mfa;
        Impersonate       = "member.impersonate": Read,  up to Platform, audit, mfa;
    }
}

const MODULES: [&str; 6] = ["sales", "purchasing", "purchasing-approver", "inventory", "accounting", "payroll"];

pub(super) fn policy() -> Policy<Perm> {
    super::preset(include_str!("../../../presets/erp.toml"))
}

#[test]
fn there_are_owner_admin_member_and_module_roles_and_the_matrix_is_the_approved_one() {
    let policy = policy();
    let names: Vec<_> = policy.roles().iter().map(|role| role.name()).collect();
    assert_eq!(
        (&names[..3], &names[3..9], &names[9..]),
        (&["owner", "admin", "member"][..], &MODULES[..], &["support"][..])
    );
    assert_eq!(policy.matrix().to_markdown(), include_str!("../../data/erp.md"));
}

#[test]
fn owner_has_all_of_admin_and_admin_all_of_member() {
    let policy = policy();
    let [owner, admin, member] = ["owner", "admin", "member"].map(|role| policy.role(role).unwrap().scopes());
    assert!(member.is_within(admin) && admin.is_within(owner));
    assert!(!admin.is_within(member) && !owner.is_within(admin));
}

#[test]
fn the_owner_may_do_everything_in_the_organisation() {
    let policy = policy();
    for &permission in Perm::ALL {
        let widest = if permission == Perm::Impersonate { Scope::None } else { permission.info().up_to() };
        assert_eq!(reach(&policy, "owner", permission), widest, "{permission}");
    }
}

#[test]
fn only_the_owner_pays_the_bill_and_closes_the_books() {
    for permission in [Perm::BillingManage, Perm::PeriodClose] {
        assert_eq!(holders(&policy(), permission), ["owner"]);
    }
}

#[test]
fn an_admin_runs_the_organisation_and_sees_no_salary() {
    let policy = policy();
    for permission in [Perm::MemberManage, Perm::SettingsConfigure, Perm::DataExport, Perm::ExpenseApprove] {
        assert_eq!(holders(&policy, permission), ["owner", "admin"]);
    }
    for permission in [Perm::PayrollView, Perm::PayrollRun] {
        assert_eq!(holders(&policy, permission), ["owner", "payroll"]);
    }
}

#[test]
fn a_member_knows_the_colleagues_and_files_own_expenses_and_has_no_module() {
    let own = [(Perm::ExpenseView, Scope::Own), (Perm::ExpenseSubmit, Scope::Own)];
    let [view, submit] = own;
    assert_eq!(all_of(&policy(), "member"), [(Perm::MemberView, Scope::Tenant), view, submit]);
}

#[test]
fn a_module_role_adds_its_module_to_a_member_and_nothing_else() {
    let policy = policy();
    let member = policy.role("member").unwrap().scopes();
    for module in MODULES {
        let both = actor(&policy, &["member", module]);
        let expected = member.clone().join(policy.role(module).unwrap().scopes());
        for &permission in Perm::ALL {
            assert_eq!(tried(&both, permission), expected.scope(permission), "{module} {permission}");
        }
        for permission in [Perm::MemberManage, Perm::SettingsConfigure, Perm::BillingManage, Perm::DataExport] {
            assert_eq!(reach(&policy, module, permission), Scope::None, "{module} administers");
        }
    }
}

#[test]
fn two_module_roles_give_both_modules_and_one_does_not_give_the_other() {
    let policy = policy();
    let both = actor(&policy, &["member", "sales", "inventory"]);
    assert_eq!((tried(&both, Perm::OrderEdit), tried(&both, Perm::StockAdjust)), (Scope::Team, Scope::Office));
    assert_eq!(reach(&policy, "sales", Perm::StockView), Scope::None);
    assert_eq!(reach(&policy, "inventory", Perm::OrderView), Scope::None);
}

#[test]
fn each_module_writes_only_in_its_module() {
    let policy = policy();
    let writes = |role| -> Vec<_> {
        let all = all_of(&policy, role).into_iter().filter(|(permission, _)| permission.kind() == Kind::Write);
        all.map(|(permission, _)| permission).collect()
    };
    assert_eq!(writes("sales"), [Perm::OrderEdit]);
    assert_eq!(writes("purchasing"), [Perm::PurchaseEdit]);
    assert_eq!(writes("purchasing-approver"), [Perm::PurchaseEdit, Perm::PurchaseApprove]);
    assert_eq!(writes("inventory"), [Perm::StockAdjust]);
    assert_eq!(writes("accounting"), [Perm::LedgerPost]);
    assert_eq!(writes("payroll"), [Perm::PayrollRun]);
}

#[test]
fn sales_edits_orders_of_the_team_and_inventory_adjusts_its_own_warehouse() {
    let policy = policy();
    assert_eq!(reach(&policy, "sales", Perm::OrderView), Scope::Tenant);
    assert_eq!(reach(&policy, "sales", Perm::OrderEdit), Scope::Team);
    assert_eq!(reach(&policy, "inventory", Perm::StockView), Scope::Tenant);
    assert_eq!(reach(&policy, "inventory", Perm::StockAdjust), Scope::Office);
}

#[test]
fn who_orders_does_not_approve_the_purchase() {
    let policy = policy();
    assert_eq!(reach(&policy, "purchasing", Perm::PurchaseApprove), Scope::None);
    assert_eq!(holders(&policy, Perm::PurchaseApprove), ["owner", "admin", "purchasing-approver"]);
}

#[test]
fn accounting_reads_what_it_books_and_changes_no_order_or_purchase() {
    let policy = policy();
    for permission in [Perm::ExpenseView, Perm::OrderView, Perm::PurchaseView, Perm::LedgerView, Perm::LedgerPost] {
        assert_eq!(reach(&policy, "accounting", permission), Scope::Tenant);
    }
    for permission in [Perm::OrderEdit, Perm::PurchaseEdit, Perm::ExpenseApprove, Perm::PayrollView] {
        assert_eq!(reach(&policy, "accounting", permission), Scope::None);
    }
}

#[test]
fn platform_support_does_nothing_but_impersonate_and_sees_what_the_person_sees() {
    let policy = policy();
    assert_eq!(all_of(&policy, "support"), [(Perm::Impersonate, Scope::Platform)]);
    assert_eq!(holders(&policy, Perm::Impersonate), ["support"]);

    let support = actor(&policy, &["support"]);
    let reason = Reason::new("ticket 4711").unwrap();
    let member = actor(&policy, &["member", "sales"]);
    let mut log = Log::default();
    let acting = support.impersonate::<perm::Impersonate>(&member, reason, Timebox::MAX).unwrap();
    let acting = now(acting.record(&mut log)).unwrap();
    assert_eq!(log.records.len(), 1);
    let [own, .., tenant, elsewhere] = rows();
    assert!(
        acting.decide(Perm::OrderView, &tenant).is_allowed() && acting.decide(Perm::ExpenseView, &own).is_allowed()
    );
    assert!(!acting.decide(Perm::OrderEdit, &own).is_allowed(), "blocked from writing");
    assert!(!acting.decide(Perm::StockView, &tenant).is_allowed(), "no more than the person");
    assert!(!acting.decide(Perm::OrderView, &elsewhere).is_allowed(), "one tenant at a time");
}
