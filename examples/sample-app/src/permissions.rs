//! What a person may do. `policy.toml` says which role may do it, and how far its reach goes.

use stockade::rbac::Policy;

stockade::rbac::permissions! {
    /// What a person of the brokerage may do.
    pub enum Perm {
        LoadView      = "load.view":         Read,  up to Tenant;
        LoadEdit      = "load.edit":         Write, up to Tenant;
        DriverView    = "driver.view":       Read,  up to Tenant;
        SsnReveal     = "driver.ssn.reveal": Read,  up to Tenant, audit;
        LedgerView    = "ledger.view":       Read,  up to Tenant;
        LedgerPost    = "ledger.post":       Write, up to Tenant, audit;
        PeriodClose   = "ledger.close":      Write, up to Tenant, audit, mfa;
        PeriodAdjust  = "ledger.adjust":     Write, up to Tenant, audit, mfa;
        PeriodReopen  = "ledger.reopen":     Write, up to Tenant, audit, mfa;
        AuditView     = "audit.view":        Read,  up to Tenant;
        AuditExport   = "audit.export":      Read,  up to Tenant, audit;
        IntegrationEdit = "integration.edit": Write, up to Tenant, audit;
        CryptoView    = "crypto.view":       Read,  up to Tenant;
        CryptoRotate  = "crypto.rotate":     Write, up to Tenant, audit, mfa;
        CryptoShred   = "crypto.shred":      Write, up to Tenant, audit, mfa;
        RetentionView = "retention.view":    Read,  up to Tenant;
        AuditHold     = "audit.hold":        Write, up to Tenant, audit, mfa;
        AuditErase    = "audit.erase":       Write, up to Tenant, audit, mfa;
        AuditTamper   = "audit.demonstrate": Read,  up to Tenant, audit, mfa;
        PostureView   = "posture.view":      Read,  up to Tenant;
        SessionRevoke = "session.revoke":    Write, up to Tenant, audit;
        LimitsView    = "limits.view":       Read,  up to Tenant;
        SchemaInspect = "schema.inspect":    Read,  up to Tenant, audit, mfa;
    }
}

/// Compiles `policy.toml`, which is part of the program.
///
/// # Errors
/// Every problem in it at once.
pub fn policy() -> anyhow::Result<Policy<Perm>> {
    Ok(Policy::compile(include_str!("policy.toml"))?)
}
