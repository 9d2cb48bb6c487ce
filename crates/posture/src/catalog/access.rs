//! Controls: who may do what.

use super::DAY;
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{CC6_2, CC6_3},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::RBAC_LEAST,
        title: "Least privilege",
        objective: "No role outside break-glass holds a wildcard, and the number of owners is within its bounds.",
        capability: Capability::Access,
        criteria: &[CC6_3],
        weight: Weight::FOUR,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps("Replace wildcards by the permissions in use, and move surplus owners to a narrower role."),
        verify: "List the roles with their permissions and holders: no wildcard, owners within bounds.",
    },
    Control {
        id: ControlId::RBAC_REVIEW,
        title: "Access is reviewed",
        objective: "All grants were reviewed within 90 days; none belongs to a departed user and no one holds two roles that must be apart.",
        capability: Capability::Access,
        criteria: &[CC6_2],
        weight: Weight::THREE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps("Review the grants with their owners, remove what is left over, and part conflicting roles."),
        verify: "The date of the last review is less than 90 days ago and lists no open finding.",
    },
];
