//! `presets/trucking.toml`: eight roles and ten types of permission.

use stockade_rbac::{Permission, Policy, Scope, Scopes, Subject};
use uuid::Uuid;

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

fn policy() -> Policy<Perm> {
    super::preset(include_str!("../../../presets/trucking.toml"))
}

fn holders(permission: Perm) -> Vec<String> {
    let policy = policy();
    let holders = policy.roles().iter().filter(|role| role.scope(permission) != Scope::None);
    holders.map(|role| role.name().to_owned()).collect()
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
    let owner = policy.role("owner").unwrap();
    assert!(Perm::ALL.iter().all(|&permission| owner.scope(permission) == Scope::Tenant));
}

#[test]
fn only_the_owner_bills() {
    assert_eq!(holders(Perm::Bill), ["owner"]);
}

#[test]
fn only_owner_and_admin_delete_configure_and_manage_users() {
    for permission in [Perm::Delete, Perm::Configure, Perm::ManageUsers] {
        assert_eq!(holders(permission), ["owner", "admin"]);
    }
}

#[test]
fn a_dispatcher_assigns_and_does_not_approve() {
    assert_eq!(holders(Perm::Assign), ["owner", "admin", "dispatcher"]);
    assert!(!holders(Perm::Approve).contains(&"dispatcher".to_owned()));
}

#[test]
fn a_safety_manager_approves_in_the_office_and_exports_everywhere() {
    let policy = policy();
    let safety = policy.role("safety-manager").unwrap();
    assert_eq!((safety.scope(Perm::Approve), safety.scope(Perm::Export)), (Scope::Office, Scope::Tenant));
}

#[test]
fn a_driver_sees_and_files_own_records_only() {
    let policy = policy();
    let driver = policy.role("driver").unwrap();
    let own = [Perm::View, Perm::Create, Perm::Edit].map(|permission| (permission, Scope::Own));
    assert!(driver.scopes().iter().eq(own));
}

#[test]
fn a_viewer_views() {
    assert!(policy().role("viewer").unwrap().scopes().iter().eq([(Perm::View, Scope::Tenant)]));
}

#[test]
fn a_program_has_what_its_token_carries_and_its_role_has() {
    let subject = Subject::new(Uuid::now_v7(), Uuid::now_v7());
    let program = policy().actor(subject).role("api").unwrap().build();
    let token = program.attenuate(&Scopes::parse(["record.view", "record.delete"]).unwrap());
    assert_eq!((token.scope(Perm::View), token.scope(Perm::Edit)), (Scope::Tenant, Scope::None));
    assert_eq!(token.scope(Perm::Delete), Scope::None, "a token does not give what the role lacks");
}
