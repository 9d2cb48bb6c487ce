//! Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, steps of 30 seconds.

mod enrolment;
mod seed;

use chrono::{DateTime, Utc};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

pub use enrolment::{Activation, Enrolment};
pub use seed::{DangerouslyPlainSeeds, SeedOwner, TotpSeed};

const STEP_SECONDS: i64 = 30;
/// RFC 6238, 5.2 recommends at most one step of delay.
const WINDOW: [i64; 3] = [-1, 0, 1];

/// The newest step within the window whose code this is. All codes of the window are computed and compared, whatever the outcome.
pub(crate) fn matching_step(seed: &TotpSeed, code: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let totp = generator(seed)?;
    let code = normalise(code);
    let (mut found, mut newest) = (Choice::from(0), 0_i64);
    for offset in WINDOW {
        let step = step_at(now).saturating_add(offset);
        let expected = code_at(&totp, step);
        let equal = expected.as_bytes().ct_eq(code.as_bytes());
        newest.conditional_assign(&step, equal);
        found |= equal;
    }
    Ok(bool::from(found).then_some(newest))
}

fn step_at(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(STEP_SECONDS)
}

fn generator(seed: &TotpSeed) -> Result<Totp> {
    Builder::new().with_secret(seed.bytes()).build().map_err(|_| Error::invalid("a totp seed has at least 16 bytes"))
}

fn code_at(totp: &Totp, step: i64) -> Zeroizing<String> {
    let seconds = u64::try_from(step.saturating_mul(STEP_SECONDS)).unwrap_or(0);
    Zeroizing::new(totp.generate(seconds).to_string())
}

/// People type the gap that their app shows.
fn normalise(code: &str) -> Zeroizing<String> {
    // Seven characters are enough to be unequal to six.
    Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).take(7).collect())
}

#[cfg(test)]
mod tests;
