//! Controls: how the product is built, connected and restored.

use super::{DAY, MONTH, QUARTER};
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{A1_2, A1_3, CC6_7, CC6_8, CC7_1, CC8_1},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::TRANSPORT_TLS,
        title: "Encrypted connections",
        objective: "Connections to the database and from browsers use TLS 1.3.",
        capability: Capability::Operations,
        criteria: &[CC6_7],
        weight: Weight::THREE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Config(
            "Set ssl = on at the server, hostssl in pg_hba.conf and sslmode=verify-full at the client; send HSTS to browsers.",
        ),
        verify: "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid();",
    },
    Control {
        id: ControlId::MIGRATIONS_LEDGER,
        title: "Schema is the reviewed one",
        objective: "The checksums of the applied migrations equal those in the program.",
        capability: Capability::Operations,
        criteria: &[CC8_1],
        weight: Weight::THREE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps(
            "Find who applied or edited the migration that differs, and bring the ledger and the repository together.",
        ),
        verify: "Compare the checksums again: each one is equal.",
    },
    Control {
        id: ControlId::SUPPLY_DENY,
        title: "Dependencies are checked",
        objective: "Known weaknesses, licences and sources of all dependencies were checked within 30 days without a finding.",
        capability: Capability::Operations,
        criteria: &[CC6_8, CC7_1],
        weight: Weight::TWO,
        max_age: MONTH,
        method: Method::Examine,
        fix: Fix::Steps("Update or replace the dependency that is named."),
        verify: "cargo deny check",
    },
    Control {
        id: ControlId::SUPPLY_SBOM,
        title: "Shipped parts are listed",
        objective: "A bill of materials for the running version is not older than 30 days.",
        capability: Capability::Operations,
        criteria: &[CC6_8, CC7_1],
        weight: Weight::TWO,
        max_age: MONTH,
        method: Method::Examine,
        fix: Fix::Steps("Write the bill of materials in the release job and keep it with the release."),
        verify: "The bill of materials names the version that is running.",
    },
    Control {
        id: ControlId::BACKUP_RESTORE,
        title: "A restore was rehearsed",
        objective: "A backup was restored within 90 days, and rows, policies, triggers and migrations were compared with the source.",
        capability: Capability::Operations,
        criteria: &[A1_2, A1_3],
        weight: Weight::TWO,
        max_age: QUARTER,
        method: Method::Test,
        fix: Fix::Steps("Restore the newest backup into an empty server and compare it with the source."),
        verify: "The report of the restore is less than 90 days old and shows no difference.",
    },
];
