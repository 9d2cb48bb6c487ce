//! From rules and keys to what a store is asked, and from its answer to a decision.

use std::cmp::Reverse;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::cost::Cost;
use crate::decision::{Decision, Source};
use crate::error::{Error, Repr};
use crate::fingerprint::FingerprintKey;
use crate::key::Key;
use crate::limiter::Catalogue;
use crate::rule::{Algorithm, Counts, Mode, Rule, RuleRef};
use crate::store::{Ask, Counting, Standing};

/// Parts of a window, and how many of them count: as in memory.
const PARTS: u64 = 15;
const SPAN: u64 = PARTS + 1;

/// A rule with the numbers that a store works with.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rule: Rule,
    /// Part of the hash: another window or algorithm reads another state.
    label: String,
    width: u64,
    span: u64,
    counting: Counting,
    /// Refusals, as this process saw them.
    pub(super) refusals: AtomicU64,
}

/// One ask, and the rule and the key that it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) index: usize,
    /// The key's place in the request.
    pub(super) key: usize,
    pub(super) ask: Ask,
}

impl Entry {
    pub(super) fn new(rule: Rule) -> Result<Self, Error> {
        if rule.counts() == Counts::NewKeys {
            let problem = "a store has no table that new keys could fill";
            return Err(Repr::InvalidRule { rule: rule.name().to_owned(), problem }.into());
        }
        let window = microseconds(rule.period().as_nanos());
        let (kind, counting, width, span) = match rule.algorithm() {
            Algorithm::ExactLog => ("exact", Counting::Log, 1, window),
            Algorithm::SlidingWindow => ("window", Counting::Ring, window.div_ceil(PARTS).max(1), SPAN),
            Algorithm::Gcra | Algorithm::GcraStrict => {
                let interval = microseconds(rule.interval(rule.period())).max(1);
                ("tokens", Counting::Tokens, interval, u64::from(rule.returning()))
            }
            Algorithm::Lockout => {
                let problem = "a shared limiter has no lockouts: `postgres::Lockouts` has";
                return Err(Repr::InvalidRule { rule: rule.name().to_owned(), problem }.into());
            }
        };
        let label = match counting {
            // Rules with another interval cannot go on from the same state.
            Counting::Tokens => format!("{} {kind} {width}", rule.name()),
            Counting::Log | Counting::Ring => format!("{} {kind} {window}", rule.name()),
        };
        Ok(Self { label, width, span, counting, refusals: AtomicU64::new(0), rule })
    }

    fn ask(&self, key: &Key, fingerprints: &FingerprintKey) -> Ask {
        Ask {
            slot: *fingerprints.fingerprint(&self.label, Some(key)).as_bytes(),
            width: self.width,
            span: self.span,
            limit: self.rule.burst().get(),
            enforced: self.rule.mode() == Mode::Enforce,
            counting: self.counting,
        }
    }
}

/// What to ask, each slot once, in the one order in which all processes ask.
pub(super) fn targets<R: RuleRef>(
    catalogue: &Catalogue,
    entries: &[Entry],
    fingerprints: &FingerprintKey,
    keys: &[(R, Key)],
    cost: Cost,
) -> Result<Vec<Target>, Error> {
    if keys.is_empty() {
        return Err(Repr::EmptyRequest.into());
    }
    let mut targets = Vec::with_capacity(keys.len());
    for (place, (rule, key)) in keys.iter().enumerate() {
        let index = catalogue.resolve(*rule)?;
        let entry = entries.get(index).ok_or(Repr::ForeignRule)?;
        let limit = entry.rule.burst().get();
        match entry.rule.mode() {
            Mode::Enforce if cost.units() > limit => {
                let rule = entry.rule.name().to_owned();
                return Err(Repr::CostAboveLimit { rule, cost: cost.units(), limit }.into());
            }
            Mode::Enforce | Mode::Shadow => {
                targets.push(Target { index, key: place, ask: entry.ask(key, fingerprints) });
            }
            Mode::Off => {}
        }
    }
    targets.sort_unstable_by_key(|target| target.ask.slot);
    targets.dedup_by_key(|target| target.ask.slot);
    Ok(targets)
}

/// The decision that the store's answer comes to, by the same rules as in memory.
pub(super) fn decision(
    catalogue: &Catalogue,
    targets: &[Target],
    standings: &[Standing],
    cost: Cost,
    charging: bool,
) -> Result<Decision, Error> {
    let fits = |(target, standing): &(&Target, &Standing)| fits(target, standing, cost);
    let found = || targets.iter().zip(standings);
    if targets.len() != standings.len() {
        return Err(Error::store("the store answered another question"));
    }
    let allowed = found().all(|pair| fits(&pair) || !pair.0.ask.enforced);
    let used = |pair: &(&Target, &Standing)| {
        let own = if charging && allowed && fits(pair) { cost.units() } else { 0 };
        pair.1.used.saturating_add(own)
    };
    let room = |pair: &(&Target, &Standing)| pair.0.ask.limit.saturating_sub(used(pair));
    let (target, standing) = found()
        .max_by_key(|pair| {
            let wait = (!fits(pair)).then_some(pair.1.wait);
            (pair.0.ask.enforced, wait, Reverse(room(pair)), pair.1.reset, pair.0.index)
        })
        .ok_or(Repr::EmptyRequest)?;
    let enforced = target.ask.enforced;
    Ok(Decision {
        allowed,
        rule: catalogue.id_at(target.index),
        limit: target.ask.limit,
        remaining: room(&(target, standing)),
        retry_after: if enforced { Duration::from_micros(standing.wait) } else { Duration::ZERO },
        reset_after: Duration::from_micros(standing.reset),
        source: if enforced { Source::Store } else { Source::Shadow },
    })
}

/// What was charged: nothing if the decision is a refusal.
pub(super) fn charges(targets: &[Target], standings: &[Standing], cost: Cost) -> Vec<(Ask, u64)> {
    let pairs = targets.iter().zip(standings).filter(|(target, standing)| fits(target, standing, cost));
    pairs.map(|(target, standing)| (target.ask, standing.bucket)).collect()
}

/// The rules that have no room for the cost, shadow rules among them.
pub(super) fn exceeded(targets: &[Target], standings: &[Standing], cost: Cost) -> Vec<Target> {
    let pairs = targets.iter().zip(standings).filter(|(target, standing)| !fits(target, standing, cost));
    pairs.map(|(target, _)| *target).collect()
}

fn fits(target: &Target, standing: &Standing, cost: Cost) -> bool {
    standing.used.saturating_add(cost.units()) <= target.ask.limit
}

fn microseconds(nanoseconds: u128) -> u64 {
    u64::try_from(nanoseconds.div_ceil(1000)).unwrap_or(u64::MAX)
}
