//! What a person may do. `policy.toml` says which role may do it, and how far its reach goes.

use stockade::rbac::Policy;

stockade::rbac::permissions! {
    /// What a person of the brokerage may do.
    pub enum Perm {
        LoadView      = "load.view":         Read,  up to Tenant;
        LoadEdit      = "load.edit":         Write, up to Tenant;
        LoadShare     = "load.share":        Write, up to Tenant, audit;
        AccountView   = "account.view":      Read,  up to Tenant;
        AccountEdit   = "account.edit":      Write, up to Tenant;
        AccountShare  = "account.share":     Write, up to Tenant, audit;
        DriverView    = "driver.view":       Read,  up to Tenant;
        DriverEdit    = "driver.edit":       Write, up to Tenant;
        SsnReveal     = "driver.ssn.reveal": Read,  up to Tenant, audit;
        DocumentDownload = "document.download": Read, up to Tenant, audit;
        BankEdit      = "driver.bank.edit":  Write, up to Tenant, audit, mfa;
        LedgerView    = "ledger.view":       Read,  up to Tenant;
        LedgerPost    = "ledger.post":       Write, up to Tenant, audit;
        PeriodClose   = "ledger.close":      Write, up to Tenant, audit, mfa;
        PeriodAdjust  = "ledger.adjust":     Write, up to Tenant, audit, mfa;
        PeriodReopen  = "ledger.reopen":     Write, up to Tenant, audit, mfa;
        SettlementView = "settlement.view":  Read,  up to Tenant;
        SettlementEdit = "settlement.edit":  Write, up to Tenant, audit;
        FeatureView   = "feature.view":      Read,  up to Tenant;
        FeatureEdit   = "feature.edit":      Write, up to Tenant, audit;
        AuditView     = "audit.view":        Read,  up to Tenant;
        AuditExport   = "audit.export":      Read,  up to Tenant, audit;
        IntegrationView = "integration.view": Read, up to Tenant;
        IntegrationEdit = "integration.edit": Write, up to Tenant, audit;
        IsolationView = "isolation.view":    Read,  up to Tenant;
        CryptoView    = "crypto.view":       Read,  up to Tenant;
        CryptoRotate  = "crypto.rotate":     Write, up to Tenant, audit, mfa;
        CryptoShred   = "crypto.shred":      Write, up to Tenant, audit, mfa;
        RetentionView = "retention.view":    Read,  up to Tenant;
        AuditHold     = "audit.hold":        Write, up to Tenant, audit, mfa;
        AuditErase    = "audit.erase":       Write, up to Tenant, audit, mfa;
        AuditTamper   = "audit.demonstrate": Read,  up to Tenant, audit, mfa;
        PostureView   = "posture.view":      Read,  up to Tenant;
        PostureRecord = "posture.record":    Write, up to Tenant, audit;
        SessionRevoke = "session.revoke":    Write, up to Tenant, audit;
        SignInPolicy  = "sign_in.policy":    Write, up to Tenant, audit, mfa;
        OutboxView    = "outbox.view":       Read,  up to Platform, audit, mfa;
        LimitsView    = "limits.view":       Read,  up to Tenant;
        SchemaInspect = "schema.inspect":    Read,  up to Tenant, audit, mfa;
        PeopleView    = "people.view":       Read,  up to Tenant;
        PeopleManage  = "people.manage":     Write, up to Tenant, audit;
        RoleView      = "role.view":         Read,  up to Tenant;
        AccessReview  = "access.review":     Read,  up to Tenant, audit;
        StaffView     = "staff.view":        Read,  up to Tenant;
        StaffRefuse   = "staff.refuse":      Write, up to Tenant, audit;
        Impersonate   = "user.impersonate":  Read,  up to Platform, audit, mfa;
    }
}

/// Compiles `policy.toml`, which is part of the program.
///
/// # Errors
/// Every problem in it at once.
pub fn policy() -> anyhow::Result<Policy<Perm>> {
    Ok(Policy::compile(include_str!("policy.toml"))?)
}
