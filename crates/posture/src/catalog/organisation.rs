//! Controls: what people state, because no machine can see it.

use super::YEAR;
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{C1_1, CC4_1, CC7_1, CC7_3, CC7_4, CC9_2},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::ATTEST_INCIDENT,
        title: "Incident process",
        objective: "Incidents are handled by a written process that notifies affected customers within 72 hours.",
        capability: Capability::Organisation,
        criteria: &[CC7_3, CC7_4],
        weight: Weight::ONE,
        max_age: YEAR,
        method: Method::Attest,
        fix: Fix::Steps("Write the process, rehearse it once, and have its owner attest it."),
        verify: "The attestation is signed and valid.",
    },
    Control {
        id: ControlId::ATTEST_PENTEST,
        title: "Penetration test",
        objective: "A party outside the team tested the product within a year, and its findings are closed or scheduled.",
        capability: Capability::Organisation,
        criteria: &[CC4_1, CC7_1],
        weight: Weight::ONE,
        max_age: YEAR,
        method: Method::Attest,
        fix: Fix::Steps("Commission a test, then attest its date, its scope and the state of its findings."),
        verify: "The attestation is signed and valid.",
    },
    Control {
        id: ControlId::ATTEST_RESIDENCY,
        title: "Data residency",
        objective: "Customer data is stored and processed in the regions that the contract names.",
        capability: Capability::Organisation,
        criteria: &[C1_1],
        weight: Weight::ONE,
        max_age: YEAR,
        method: Method::Attest,
        fix: Fix::Steps("List the regions of storage, backups and support access, and have them attested."),
        verify: "The attestation is signed and valid.",
    },
    Control {
        id: ControlId::ATTEST_SUBPROCESSORS,
        title: "Sub-processors",
        objective: "The published list of sub-processors is complete, and each was reviewed within a year.",
        capability: Capability::Organisation,
        criteria: &[CC9_2],
        weight: Weight::ONE,
        max_age: YEAR,
        method: Method::Attest,
        fix: Fix::Steps("Review the list with those who buy services, publish it, and have it attested."),
        verify: "The attestation is signed and valid.",
    },
];
