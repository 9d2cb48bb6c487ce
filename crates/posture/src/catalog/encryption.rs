//! Controls: sensitive fields are sealed.

use super::{DAY, QUARTER};
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{C1_1, C1_2, CC6_1, CC6_5},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::CRYPTO_FIELDS,
        title: "Sensitive fields are sealed",
        objective: "Every value in the registered columns is sealed under the active key.",
        capability: Capability::Encryption,
        criteria: &[CC6_1, C1_1],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps(
            "Run the re-encryption over the registered columns until no value is left in the clear or under an older key.",
        ),
        verify: "Count the values by key: all of them are under the active one.",
    },
    Control {
        id: ControlId::CRYPTO_ROTATION,
        title: "Keys are rotated",
        objective: "The key-encryption key is younger than its limit, and no retired key still opens data.",
        capability: Capability::Encryption,
        criteria: &[CC6_1],
        weight: Weight::THREE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps("Rotate the key-encryption key, wrap the data keys again, then retire the old one."),
        verify: "List the keys by age and use: none is over its limit, none retired is in use.",
    },
    Control {
        id: ControlId::CRYPTO_DISPOSAL,
        title: "Destroyed keys end access",
        objective: "A value sealed under a key that was destroyed for the test could not be opened.",
        capability: Capability::Encryption,
        criteria: &[CC6_5, C1_2],
        weight: Weight::TWO,
        max_age: QUARTER,
        method: Method::Test,
        fix: Fix::Steps(
            "Run the disposal test: seal a value under a key of its own, destroy the key, try to open the value.",
        ),
        verify: "The attempt to open the value is refused.",
    },
];
