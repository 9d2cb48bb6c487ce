//! Controls: tenants are kept apart by the database.

use super::DAY;
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{C1_1, CC6_1, CC6_3},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::RLS_ENABLED,
        title: "Row-level security on",
        objective: "Row-level security is enabled on every table that carries the tenant column.",
        capability: Capability::Isolation,
        criteria: &[CC6_1, CC6_3, C1_1],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Sql("ALTER TABLE <table> ENABLE ROW LEVEL SECURITY;"),
        verify: "SELECT relrowsecurity FROM pg_class WHERE oid = '<table>'::regclass;",
    },
    Control {
        id: ControlId::RLS_FORCED,
        title: "Row-level security forced",
        objective: "Row-level security binds the owner of every tenant table as it binds everyone else.",
        capability: Capability::Isolation,
        criteria: &[CC6_1, CC6_3, C1_1],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Sql("ALTER TABLE <table> FORCE ROW LEVEL SECURITY;"),
        verify: "SELECT relforcerowsecurity FROM pg_class WHERE oid = '<table>'::regclass;",
    },
    Control {
        id: ControlId::RLS_POLICIES,
        title: "Policies compare the tenant",
        objective: "On every tenant table, what the application may read and what it may write is compared with the tenant of the request.",
        capability: Capability::Isolation,
        criteria: &[CC6_1],
        weight: Weight::FOUR,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Sql(
            "CREATE POLICY tenant ON <table> AS RESTRICTIVE USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)) WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));",
        ),
        verify: "SELECT policyname, permissive, cmd, qual, with_check FROM pg_policies WHERE tablename = '<table>';",
    },
    Control {
        id: ControlId::RLS_ROLE,
        title: "Application role is bound",
        objective: "The role of the application is no superuser, owner or BYPASSRLS role and cannot become one, and no view lends it the rights of another.",
        capability: Capability::Isolation,
        criteria: &[CC6_1, CC6_3],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Sql(
            "ALTER ROLE <role> NOSUPERUSER NOBYPASSRLS NOCREATEROLE; ALTER VIEW <view> SET (security_invoker = true);",
        ),
        verify: "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = '<role>';",
    },
    Control {
        id: ControlId::RLS_PROBE,
        title: "Isolation withstands attack",
        objective: "Reading, writing, moving and guessing the rows of another tenant was tried as the application and refused each time.",
        capability: Capability::Isolation,
        criteria: &[CC6_1, C1_1],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Test,
        fix: Fix::Steps("Run the isolation probe against the live schema and close each attempt that got through."),
        verify: "Run the isolation probe again: every attempt is refused.",
    },
];
