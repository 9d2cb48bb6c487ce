//! The decision itself.
//!
//! A request that names several keys holds all their slots before the first of them is asked, and lets go of them after
//! the last has been charged. So a decision is one step for every other thread: none sees some rules charged and
//! others not, and none is refused because of a charge that is about to be undone. A request for one key that has a
//! slot, which is what most are, needs no more than the latch of that slot.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::cost::Cost;
use crate::decision::{Decision, Source};
use crate::error::{Error, Repr};
use crate::event::{Cause, Event};
use crate::key::Key;
use crate::limiter::core::{Core, Entry};
use crate::limiter::correction::Charges;
use crate::limiter::finding::Finding;
use crate::limiter::request::Hold;
use crate::rule::{Algorithm, Counts, Mode, RuleRef};
use crate::state::Tick;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Peek,
    Charge,
    /// To charge, and to remember what was charged.
    Reserve,
}

pub(super) struct Ruling {
    pub(super) decision: Decision,
    pub(super) charges: Charges,
}

impl Core {
    pub(super) fn decide<R: RuleRef>(&self, keys: &[(R, Key)], cost: Cost, intent: Intent) -> Result<Ruling, Error> {
        let mut events = Vec::new();
        let ruled = match self.latched(keys, cost)? {
            Some(finding) => self.rule_on(&mut [finding], cost.units(), intent, &mut events),
            None => {
                let mut hold = Hold::take(&self.targets(keys, cost)?);
                self.rule_on(&mut hold.findings, cost.units(), intent, &mut events)
            }
        };
        let ruling = match ruled {
            Some(ruling) => ruling,
            None => self.unasked(keys)?,
        };
        if intent != Intent::Peek {
            if ruling.decision.allowed { &self.allowed } else { &self.refused }.add_one();
        }
        self.deliver(&events);
        Ok(ruling)
    }

    /// The one key that is asked, if it has a slot: it needs no gate.
    fn latched<'a, R: RuleRef>(&'a self, keys: &'a [(R, Key)], cost: Cost) -> Result<Option<Finding<'a>>, Error> {
        let [(rule, key)] = keys else { return Ok(None) };
        let Some(target) = self.target(*rule, key, cost)? else { return Ok(None) };
        let slot = target.entry.table.latch(&target.place);
        Ok(slot.map(|slot| Finding::new(target, Some(slot))))
    }

    /// The admission of one key that has a slot, that nobody hears of, and that no permit will correct: what nearly all
    /// requests come to. Everything else takes the longer way, which would decide the same.
    ///
    /// It takes no type parameter, so that it is compiled together with what it calls.
    pub(super) fn admit_at_once(&self, index: usize, key: &Key, cost: Cost) -> Option<Decision> {
        let Entry { rule, terms, table, .. } = self.entries().get(index)?;
        let plain =
            rule.mode() == Mode::Enforce && rule.counts() == Counts::Requests && terms.algorithm != Algorithm::Lockout;
        if !plain {
            return None;
        }
        let slot = table.latch(&table.place(&self.tagger, key))?;
        if slot.is_reported() {
            return None;
        }
        let (now, cost) = (self.now(), cost.units());
        let used = terms.outlook(slot.cells, now, cost).used.saturating_add(cost);
        if used > terms.limit {
            return None;
        }
        let reset = terms.charge(slot.cells, now, cost).saturating_sub(now);
        drop(slot);
        self.allowed.add_one();
        Some(Decision {
            allowed: true,
            rule: self.catalogue.id_at(index),
            limit: terms.limit,
            remaining: terms.limit.saturating_sub(used),
            retry_after: Duration::ZERO,
            reset_after: Duration::from_nanos(reset),
            source: Source::Memory,
        })
    }

    /// Asks all rules that are held, and charges them if all admit; nothing if there are none.
    fn rule_on(
        &self,
        findings: &mut [Finding<'_>],
        cost: u32,
        intent: Intent,
        events: &mut Vec<Event>,
    ) -> Option<Ruling> {
        let now = self.now();
        findings.iter_mut().for_each(|finding| finding.inspect(now, cost));
        let findings = without_idle_sources(findings);
        if intent != Intent::Peek {
            if !refused(findings) {
                self.charge(findings, now, cost, events);
            }
            self.count_refusals(findings, now, events);
        }
        deciding(findings).map(|finding| Ruling {
            decision: self.decision(finding),
            charges: if intent == Intent::Reserve { Charges::of(findings, now) } else { Charges::default() },
        })
    }

    /// Charges every finding that admits, or none if the request's own new keys turn out to crowd each other out.
    fn charge(&self, findings: &mut [Finding<'_>], now: Tick, cost: u32, events: &mut Vec<Event>) {
        for finding in findings.iter_mut().filter(|finding| finding.refusal.is_none()) {
            let mut reporter = self.reporter(finding.target.entry, events);
            finding.charge(now, cost, &mut reporter);
        }
        let refused = refused(findings);
        for finding in findings.iter_mut().filter(|finding| finding.charged) {
            if refused {
                finding.undo(now, cost);
            } else {
                let mut reporter = self.reporter(finding.target.entry, events);
                finding.report(now, &mut reporter, &self.fingerprints);
            }
        }
    }

    fn count_refusals(&self, findings: &mut [Finding<'_>], now: Tick, events: &mut Vec<Event>) {
        for Finding { target, slot, refusal, .. } in findings {
            let Some(cause) = *refusal else { continue };
            let entry = target.entry;
            let counter = match cause {
                Cause::LimitExceeded | Cause::LockedOut => &entry.exceeded,
                Cause::TableFull => &entry.table_full,
                Cause::CostAboveLimit => &entry.above_limit,
            };
            counter.fetch_add(1, Ordering::Relaxed);

            let mut reporter = self.reporter(entry, events);
            match slot {
                Some(slot) if matches!(cause, Cause::LimitExceeded | Cause::LockedOut) => {
                    let fingerprint = || self.fingerprints.fingerprint(entry.rule.name(), Some(target.key));
                    entry.episodes.change(slot, |open| reporter.refused(open, now, cause, fingerprint));
                }
                _ => entry.refused_shared(&mut reporter, now, cause, &self.fingerprints),
            }
        }
    }

    fn decision(&self, finding: &Finding<'_>) -> Decision {
        let Finding { target, outlook, refusal, sketch, .. } = finding;
        let enforced = finding.is_enforced();
        let limit = target.entry.terms.limit;
        let full = *refusal == Some(Cause::TableFull);
        Decision {
            allowed: !(enforced && refusal.is_some()),
            rule: self.catalogue.id_at(target.index),
            limit,
            remaining: if full && sketch.is_none() { 0 } else { limit.saturating_sub(outlook.used) },
            retry_after: if enforced { Duration::from_nanos(outlook.wait) } else { Duration::ZERO },
            reset_after: Duration::from_nanos(outlook.reset),
            source: match enforced {
                true if sketch.is_some() => Source::Shared,
                true if full => Source::TableFull,
                true => Source::Memory,
                false => Source::Shadow,
            },
        }
    }

    /// The answer to a request all of whose rules are off.
    fn unasked<R: RuleRef>(&self, keys: &[(R, Key)]) -> Result<Ruling, Error> {
        let (rule, _) = keys.first().ok_or(Repr::EmptyRequest)?;
        let index = self.catalogue.resolve(*rule)?;
        let limit = self.entry(index)?.terms.limit;
        let decision = Decision {
            allowed: true,
            rule: self.catalogue.id_at(index),
            limit,
            remaining: limit,
            retry_after: Duration::ZERO,
            reset_after: Duration::ZERO,
            source: Source::Off,
        };
        Ok(Ruling { decision, charges: Charges::default() })
    }
}

/// The findings that count: those of sources only if there is a new key.
fn without_idle_sources<'f, 'a>(findings: &'f mut [Finding<'a>]) -> &'f mut [Finding<'a>] {
    let others = findings.partition_point(|finding| !finding.is_of_source());
    let nothing_new = others > 0 && findings.iter().take(others).all(Finding::is_known);
    let asked = if nothing_new { others } else { findings.len() };
    findings.get_mut(..asked).unwrap_or_default()
}

fn refused(findings: &[Finding<'_>]) -> bool {
    findings.iter().any(|finding| finding.is_enforced() && finding.refusal.is_some())
}

/// Of enforced rules, the one with the longest wait if any refuses, else the one with the least room; else of the
/// others the one with the least room.
fn deciding<'a, 'f>(findings: &'f [Finding<'a>]) -> Option<&'f Finding<'a>> {
    findings.iter().max_by_key(|finding| {
        let room = finding.target.entry.terms.limit.saturating_sub(finding.outlook.used);
        let wait = finding.refusal.map(|_| finding.outlook.wait);
        (finding.is_enforced(), wait, Reverse(room), finding.outlook.reset)
    })
}
