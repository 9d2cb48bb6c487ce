//! Controls: sign-in, sessions, second factors and passwords.

use super::DAY;
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::{CC6_1, CC6_6},
};

pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: ControlId::SESSION_POLICY,
        title: "Sessions are limited and protected",
        objective: "Cookies carry Secure, HttpOnly and SameSite, sessions end when idle and after an absolute time, and only hashes of identifiers are stored.",
        capability: Capability::Identity,
        criteria: &[CC6_1, CC6_6],
        weight: Weight::FOUR,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Config(
            "Set the cookie attributes, an idle and an absolute limit, and store session identifiers hashed.",
        ),
        verify: "Sign in and read the cookie: Secure, HttpOnly, SameSite and an end.",
    },
    Control {
        id: ControlId::MFA_PRIVILEGED,
        title: "Second factor for the privileged",
        objective: "Everyone with a privileged role has enrolled a second factor and is asked for it.",
        capability: Capability::Identity,
        criteria: &[CC6_1, CC6_6],
        weight: Weight::FIVE,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Config("Require the second factor for privileged roles at sign-in."),
        verify: "Count privileged users without a second factor: none.",
    },
    Control {
        id: ControlId::MFA_ALL,
        title: "Second factor in general use",
        objective: "The share of users with a second factor meets the target.",
        capability: Capability::Identity,
        criteria: &[CC6_1, CC6_6],
        weight: Weight::TWO,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Config("Offer enrolment after sign-in, then require it tenant by tenant."),
        verify: "Count users with a second factor against the target.",
    },
    Control {
        id: ControlId::PASSWORD_HASH,
        title: "Passwords at current strength",
        objective: "Stored passwords use the current algorithm and parameters.",
        capability: Capability::Identity,
        criteria: &[CC6_1],
        weight: Weight::FOUR,
        max_age: DAY,
        method: Method::Examine,
        fix: Fix::Steps(
            "Hash again at the next sign-in, and expire accounts that have not signed in since the change.",
        ),
        verify: "Count stored passwords by algorithm and parameters: all are current.",
    },
];
