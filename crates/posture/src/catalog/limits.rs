//! Controls: limits on what strangers may try.

use super::DAY;
use crate::{
    capability::Capability,
    control::{Control, ControlId, Fix, Method, Weight},
    criterion::CC6_6,
};

pub(crate) const CONTROLS: &[Control] = &[Control {
    id: ControlId::RATELIMIT_AUTH,
    title: "Guessing is slowed down",
    objective: "Sign-in, sign-up, one-time codes and password reset each have a limit that is enforced.",
    capability: Capability::Limits,
    criteria: &[CC6_6],
    weight: Weight::THREE,
    max_age: DAY,
    method: Method::Examine,
    fix: Fix::Config("Put a limit on sign-in, sign-up, one-time codes and password reset."),
    verify: "Exceed each limit once: the answer is 429 with Retry-After.",
}];
