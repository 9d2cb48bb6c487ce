//! Controls: what happened is on record and stays as it was written.

use super::{DAY, MONTH};
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{CC4_1, CC7_2, CC7_3, PI1_4, PI1_5},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::AUDIT_VERIFIES,
        title: "Audit chain verifies",
        objective: "The hash chain of every tenant was recomputed from its entries within the last day and holds.",
        capability: Capability::Audit,
        criteria: &[CC7_2, CC7_3, PI1_5],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Test,
        fix: Fix::Steps(
            "Verify each chain on a schedule; where one breaks, keep the database as it is and compare it with the last checkpoint outside.",
        ),
        verify: "Verify the chains again: each one reports its head and no break.",
    },
    Control {
        id: ControlId::AUDIT_APPEND_ONLY,
        title: "Audit log is append-only",
        objective: "The application may add to the audit log and read it; changing, deleting and truncating are refused by grants and triggers.",
        capability: Capability::Audit,
        criteria: &[CC7_2, PI1_5],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Sql("REVOKE UPDATE, DELETE, TRUNCATE ON <audit table> FROM PUBLIC, <role>;"),
        verify: "SELECT grantee, privilege_type FROM information_schema.table_privileges WHERE table_name = '<audit table>';",
    },
    Control {
        id: ControlId::AUDIT_ANCHORED,
        title: "Audit log is anchored outside",
        objective: "Every entry older than a day is under a signed checkpoint that is held where the database cannot reach it.",
        capability: Capability::Audit,
        criteria: &[CC4_1],
        weight: Weight::THREE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps("Export a signed checkpoint to storage under another account, every day."),
        verify: "The newest checkpoint outside matches the chains, and no entry without one is older than a day.",
    },
    Control {
        id: ControlId::AUDIT_COVERAGE,
        title: "Every write is logged",
        objective: "Each route that writes has left entries in the audit log, and so have sign-in, role changes and exports.",
        capability: Capability::Audit,
        criteria: &[CC7_2],
        weight: Weight::THREE,
        max_age: MONTH,
        method: Method::Examine,
        fix: Fix::Steps("Append an entry on each route that writes and has none."),
        verify: "Compare the routes that write with the actions seen in the log: none is missing.",
    },
    Control {
        id: ControlId::PERIOD_CLOSED,
        title: "Closed periods stay closed",
        objective: "Posting tables carry the guard that refuses any entry dated on or before a signed-off period end.",
        capability: Capability::Audit,
        criteria: &[PI1_4],
        weight: Weight::THREE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps("Install the period guard on each posting table."),
        verify: "Post into a closed period in a transaction and roll it back: it is refused.",
    },
];
