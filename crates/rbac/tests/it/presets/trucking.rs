//! `presets/trucking.toml`: eight roles and ten types of permission.

use stockade_rbac::{Permission, Policy, Scope, Scopes};

use super::{actor, all_of, holders, reach};

stockade_rbac::permissions! {
    /// What a person of the trucking company may do.
    pub enum Perm {
        View        = "record.view":        Read,  up to Tenant;
        Create      = "record.create":      Write, up to Tenant;
        Edit        = "record.edit":        Write, up to Tenant;
        Delete      = "record.delete":      Write, up to Tenant, audit;
        Approve     = "record.approve":     Write, up to Tenant, audit;
        Export      = "record.export":      Read,  up to Tenant, audit;
        Assign      = "record.assign":      Write, up to Tenant;
        Configure   = "settings.configure": Write, up to Tenant, audit;
        ManageUsers = "users.manage":       Write, up to Tenant, audit, mfa;
        Bill        = "billing.manage":     Write, up to Tenant, audit, mfa;
    }
}

pub(super) fn policy() -> Policy<Perm> {
    super::preset(include_str!("../../../presets/trucking.toml"))
}

#[test]
fn there_are_eight_roles_and_ten_permission_types_and_the_matrix_is_the_approved_one() {
    let policy = policy();
    let titles = ["Owner", "Admin", "Dispatcher", "Accountant", "Safety Manager", "Driver", "Viewer", "API"];
    assert!(policy.roles().iter().map(|role| role.title()).eq(titles));
    assert_eq!(Perm::ALL.len(), 10);
    assert_eq!(policy.matrix().to_markdown(), include_str!("../../data/trucking.md"));
}

#[test]
fn the_owner_may_do_everything() {
    let policy = policy();
    assert!(all_of(&policy, "owner").into_iter().eq(Perm::ALL.iter().map(|&permission| (permission, Scope::Tenant))));
    for role in policy.roles().iter().filter(|role| role.name() != "owner") {
        assert!(all_of(&policy, role.name()).len() < Perm::ALL.len(), "{}", role.name());
    }
}

#[test]
fn only_the_owner_bills() {
    assert_eq!(holders(&policy(), Perm::Bill), ["owner"]);
}

#[test]
fn an_admin_may_do_all_but_bill() {
    let admin = all_of(&policy(), "admin");
    let all_but = Perm::ALL.iter().filter(|permission| **permission != Perm::Bill);
    assert!(admin.into_iter().eq(all_but.map(|&permission| (permission, Scope::Tenant))));
}

#[test]
fn only_owner_and_admin_delete_configure_and_manage_users() {
    for permission in [Perm::Delete, Perm::Configure, Perm::ManageUsers] {
        assert_eq!(holders(&policy(), permission), ["owner", "admin"]);
    }
}

#[test]
fn a_dispatcher_plans_and_assigns_and_does_not_approve_or_export() {
    let policy = policy();
    let everywhere = [Perm::View, Perm::Create, Perm::Edit, Perm::Assign].map(|permission| (permission, Scope::Tenant));
    assert_eq!(all_of(&policy, "dispatcher"), everywhere);
    assert_eq!(holders(&policy, Perm::Assign), ["owner", "admin", "dispatcher"]);
}

#[test]
fn an_accountant_approves_and_exports_and_does_not_assign_or_delete() {
    let policy = policy();
    let everywhere = [Perm::View, Perm::Create, Perm::Edit, Perm::Approve, Perm::Export];
    assert_eq!(all_of(&policy, "accountant"), everywhere.map(|permission| (permission, Scope::Tenant)));
}

#[test]
fn a_safety_manager_approves_in_the_office_exports_everywhere_and_creates_nothing() {
    let policy = policy();
    let safety = |permission| reach(&policy, "safety-manager", permission);
    assert_eq!(
        (safety(Perm::Approve), safety(Perm::Edit), safety(Perm::Export)),
        (Scope::Office, Scope::Office, Scope::Tenant)
    );
    assert_eq!((safety(Perm::View), safety(Perm::Create)), (Scope::Tenant, Scope::None));
}

#[test]
fn a_driver_sees_and_files_own_records_only() {
    let own = [Perm::View, Perm::Create, Perm::Edit].map(|permission| (permission, Scope::Own));
    assert_eq!(all_of(&policy(), "driver"), own);
}

#[test]
fn a_viewer_views_and_nothing_else() {
    assert_eq!(all_of(&policy(), "viewer"), [(Perm::View, Scope::Tenant)]);
}

#[test]
fn a_program_has_what_its_token_carries_and_its_role_has() {
    let policy = policy();
    let everywhere = [Perm::View, Perm::Create, Perm::Edit].map(|permission| (permission, Scope::Tenant));
    assert_eq!(all_of(&policy, "api"), everywhere);
    let token = actor(&policy, &["api"]).attenuate(&Scopes::parse(["record.view", "record.delete"]).unwrap());
    assert_eq!((token.scope(Perm::View), token.scope(Perm::Edit)), (Scope::Tenant, Scope::None));
    assert_eq!(token.scope(Perm::Delete), Scope::None, "a token does not give what the role lacks");
}
