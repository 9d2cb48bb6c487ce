//! `presets/field-service.toml`: owner, dispatcher, technician and viewer.

use stockade_rbac::{Kind, Permission, Policy, Scope};

use super::{all_of, holders, reach};

stockade_rbac::permissions! {
    /// What a person of the field service company may do.
    pub enum Perm {
        JobView          = "job.view":          Read,  up to Tenant;
        JobEdit          = "job.edit":          Write, up to Tenant;
        JobAssign        = "job.assign":        Write, up to Tenant;
        JobComplete      = "job.complete":      Write, up to Tenant;
        CustomerView     = "customer.view":     Read,  up to Tenant;
        CustomerEdit     = "customer.edit":     Write, up to Tenant;
        TechnicianLocate = "technician.locate": Read,  up to Tenant, audit;
        QuoteView        = "quote.view":        Read,  up to Tenant;
        QuoteWrite       = "quote.write":       Write, up to Tenant;
        QuoteApprove     = "quote.approve":     Write, up to Tenant, audit;
        InvoiceView      = "invoice.view":      Read,  up to Tenant;
        InvoiceIssue     = "invoice.issue":     Write, up to Tenant, audit;
        UserManage       = "user.manage":       Write, up to Tenant, audit, mfa;
        BillingManage    = "billing.manage":    Write, up to Tenant, audit, mfa;
    }
}

pub(super) fn policy() -> Policy<Perm> {
    super::preset(include_str!("../../../presets/field-service.toml"))
}

#[test]
fn there_are_owner_dispatcher_technician_and_viewer_and_the_matrix_is_the_approved_one() {
    let policy = policy();
    let names = ["owner", "dispatcher", "technician", "viewer"];
    assert!(policy.roles().iter().map(|role| role.name()).eq(names));
    assert_eq!(policy.matrix().to_markdown(), include_str!("../../data/field-service.md"));
}

#[test]
fn the_owner_may_do_everything() {
    let policy = policy();
    assert!(all_of(&policy, "owner").into_iter().eq(Perm::ALL.iter().map(|&permission| (permission, Scope::Tenant))));
    for role in ["dispatcher", "technician", "viewer"] {
        assert!(all_of(&policy, role).len() < Perm::ALL.len(), "{role}");
    }
}

#[test]
fn only_the_owner_invoices_approves_quotes_bills_and_manages_users() {
    let owners = [Perm::QuoteApprove, Perm::InvoiceView, Perm::InvoiceIssue, Perm::UserManage, Perm::BillingManage];
    for permission in owners {
        assert_eq!(holders(&policy(), permission), ["owner"], "{permission}");
    }
}

#[test]
fn a_dispatcher_plans_and_assigns_every_job_and_completes_none() {
    let policy = policy();
    for permission in [Perm::JobView, Perm::JobEdit, Perm::JobAssign, Perm::CustomerEdit, Perm::QuoteWrite] {
        assert_eq!(reach(&policy, "dispatcher", permission), Scope::Tenant);
    }
    assert_eq!(holders(&policy, Perm::JobAssign), ["owner", "dispatcher"]);
    assert_eq!(holders(&policy, Perm::JobComplete), ["owner", "technician"]);
}

#[test]
fn a_dispatcher_locates_technicians_of_the_office_and_nobody_below_locates_anyone() {
    let policy = policy();
    assert_eq!(reach(&policy, "dispatcher", Perm::TechnicianLocate), Scope::Office);
    assert_eq!(holders(&policy, Perm::TechnicianLocate), ["owner", "dispatcher"]);
    assert!(Perm::TechnicianLocate.info().is_audited());
}

#[test]
fn a_technician_sees_the_jobs_of_the_crew_and_completes_own_ones_only() {
    let expected = [(Perm::JobView, Scope::Team), (Perm::JobComplete, Scope::Own), (Perm::CustomerView, Scope::Own)];
    assert_eq!(all_of(&policy(), "technician"), expected);
}

#[test]
fn a_technician_sees_no_price() {
    let policy = policy();
    for permission in [Perm::QuoteView, Perm::InvoiceView] {
        assert_eq!(reach(&policy, "technician", permission), Scope::None);
    }
}

#[test]
fn a_viewer_sees_jobs_customers_and_quotes_and_writes_nothing() {
    let policy = policy();
    let everywhere = [Perm::JobView, Perm::CustomerView, Perm::QuoteView].map(|permission| (permission, Scope::Tenant));
    assert_eq!(all_of(&policy, "viewer"), everywhere);
    assert!(everywhere.iter().all(|(permission, _)| permission.kind() == Kind::Read));
}
