//! The control `ratelimit.auth`: every door that a stranger can knock at, and whether it closes.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use stockade_ratelimit::{Algorithm, Cost, Counts, Decision, Key, Mode, Rule, Source};

use super::Asked;
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
};

const NAME: &str = "ratelimit.doors";

const CONTROLS: [ControlId; 1] = [ControlId::RATELIMIT_AUTH];

/// The most attempts that are made at one rule: a lockout counts each by itself.
const MOST_ATTEMPTS: u32 = 1_000;

const ENFORCE: &str = "set the mode of the rule to enforce";

/// What a stranger can try to guess at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// Signing in.
    SignIn,
    /// Signing up.
    SignUp,
    /// A one-time code.
    OneTimeCode,
    /// The reset of a password.
    PasswordReset,
}

/// Which rules stand at which door.
///
/// ```
/// use stockade_posture::ratelimit::{Door, Doors};
///
/// let doors = Doors::new()
///     .rule(Door::SignIn, "sign-in.account")
///     .rule(Door::SignIn, "sign-in.address")
///     .rule(Door::OneTimeCode, "code.address")
///     .rule(Door::PasswordReset, "reset.address")
///     .without(Door::SignUp); // accounts are made by invitation
/// # drop(doors);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doors {
    rules: Vec<(Door, String)>,
    without: Vec<Door>,
}

/// What came of trying.
enum Tried {
    Refused { after: u32 },
    NeverRefused,
    Unclear(&'static str),
}

impl Door {
    const ALL: [Self; 4] = [Self::SignIn, Self::SignUp, Self::OneTimeCode, Self::PasswordReset];

    const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::SignUp => "sign-up",
            Self::OneTimeCode => "one-time code",
            Self::PasswordReset => "password reset",
        }
    }
}

impl Doors {
    /// No rule at any door.
    #[must_use]
    pub const fn new() -> Self {
        Self { rules: Vec::new(), without: Vec::new() }
    }

    /// This rule is asked at the door. A door may have several.
    #[must_use]
    pub fn rule(mut self, door: Door, rule: impl Into<String>) -> Self {
        self.rules.push((door, rule.into()));
        self
    }

    /// The application has no such door.
    #[must_use]
    pub fn without(mut self, door: Door) -> Self {
        self.without.push(door);
        self
    }

    /// The doors at which nothing stands.
    fn open(&self, at: DateTime<Utc>) -> Vec<Observation> {
        let guarded = |door| self.without.contains(&door) || self.rules.iter().any(|(of, _)| *of == door);
        let fail = |door: Door| {
            let subject = Subject::new(door.word());
            Observation::fail(ControlId::RATELIMIT_AUTH, subject, at, "no rule stands at this door")
        };
        Door::ALL.into_iter().filter(|door| !guarded(*door)).map(fail).collect()
    }
}

/// Measures `ratelimit.auth`, one subject for each rule at each door: that the rule is there, is enforced, and refuses a key that nobody has
/// when its limit is used up. A door without a rule fails.
///
/// The key is of this measurement alone, so no user is kept out. Its refusal is counted and reported to the limiter's observers like
/// any other; a limiter in memory forgets the key at once, a store after the window. Whether the application asks these rules
/// at those doors is not seen here.
pub fn doors<'a, L: Asked>(limiter: &'a L, doors: Doors) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut seen = doors.open(at);
        for (door, name) in &doors.rules {
            seen.push(judge(limiter, *door, name, at).await?);
        }
        Ok(seen.into_iter().map(|seen| seen.by(NAME)).collect())
    })
}

async fn judge<L: Asked>(limiter: &L, door: Door, name: &str, at: DateTime<Utc>) -> Result<Observation, Error> {
    let (control, subject) = (ControlId::RATELIMIT_AUTH, Subject::new(format!("{}: {name}", door.word())));
    let fail = |reason| Observation::fail(control, subject.clone(), at, reason);
    let Some(rule) = limiter.rule_named(name) else { return Ok(fail("the limiter has no rule of this name")) };
    let described =
        |seen: Observation| seen.fact("limit", rule.limit().get()).fact("period_seconds", rule.period().as_secs());
    Ok(described(match rule.mode() {
        Mode::Enforce => match attempt(limiter, rule, at).await? {
            Tried::Refused { after } => Observation::pass(control, subject, at).fact("refused_after", after),
            Tried::NeverRefused => fail("it admitted more than its limit"),
            Tried::Unclear(reason) => Observation::unknown(control, subject, at, reason),
        },
        Mode::Shadow => fail("it counts and refuses nothing").remedy(ENFORCE),
        _ => fail("it is switched off").remedy(ENFORCE),
    }))
}

/// Uses the limit of a key up and asks once more.
async fn attempt<L: Asked>(limiter: &L, rule: &Rule, at: DateTime<Utc>) -> Result<Tried, Error> {
    if rule.counts() == Counts::NewKeys {
        return Ok(Tried::Unclear("a budget of new keys keeps nobody from guessing"));
    }
    // A lockout counts every attempt as one; the others can be asked for all that they have room for at once.
    let by_one = rule.algorithm() == Algorithm::Lockout;
    let (cost, rounds) = if by_one { (NonZeroU32::MIN, rule.limit().get()) } else { (rule.burst(), 1) };
    if rounds > MOST_ATTEMPTS {
        return Ok(Tried::Unclear("its limit is too high to be used up for a measurement"));
    }
    let nobody = Key::text(&format!("stockade-posture {}", at.timestamp_nanos_opt().unwrap_or_default()));
    let tried = exhaust(limiter, rule.name(), &nobody, Cost::new(cost), rounds).await;
    limiter.give_back(rule.name(), &nobody);
    tried
}

async fn exhaust<L: Asked>(limiter: &L, rule: &str, nobody: &Key, cost: Cost, rounds: u32) -> Result<Tried, Error> {
    for round in 0..=rounds {
        let asked = limiter.ask(rule, nobody.clone(), cost).await;
        let decision = asked.map_err(|cause| Error::unavailable_because("the limiter could not be asked", cause))?;
        match (decision.allowed, decision.source) {
            (_, Source::StoreDown | Source::Unchecked) => return Ok(Tried::Unclear("the limiter's store is down")),
            (false, Source::TableFull) => return Ok(Tried::Unclear("the limiter has no place for another key")),
            (false, _) => return Ok(refused(&decision, round, cost)),
            (true, _) => {}
        }
    }
    Ok(Tried::NeverRefused)
}

fn refused(decision: &Decision, round: u32, cost: Cost) -> Tried {
    if round == 0 {
        return Tried::Unclear("it refused a key that nobody has used");
    }
    if decision.retry_after.is_zero() {
        return Tried::Unclear("it refused without saying until when");
    }
    Tried::Refused { after: round.saturating_mul(cost.units()) }
}
