//! The decision itself.
//!
//! All shards of a request are locked, in one order, before the first of them is asked, and released after the last has
//! been charged. So a decision is one step for every other thread: none sees some rules charged and others not, and
//! none is refused because of a charge that is about to be undone.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::cost::Cost;
use crate::decision::{Decision, Source};
use crate::error::{Error, Repr};
use crate::event::{Cause, Event};
use crate::key::Key;
use crate::limiter::core::Core;
use crate::limiter::correction::Charges;
use crate::limiter::finding::{Finding, Group};
use crate::limiter::request::Target;
use crate::rule::RuleRef;
use crate::state::Tick;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Peek,
    Charge,
}

pub(super) struct Ruling {
    pub(super) decision: Decision,
    pub(super) charges: Charges,
}

impl Core {
    pub(super) fn decide<R: RuleRef>(&self, keys: &[(R, Key)], cost: Cost, intent: Intent) -> Result<Ruling, Error> {
        let targets = self.targets(keys, cost)?;
        let cost = cost.units();
        let mut events = Vec::new();
        let mut groups: Vec<Group<'_>> = targets.chunk_by(Target::same_shard).filter_map(Group::lock).collect();
        let now = self.now();
        groups.iter_mut().for_each(|group| group.inspect(now, cost));

        if intent == Intent::Charge {
            if !refused(&groups) {
                self.charge(&mut groups, now, cost, &mut events);
            }
            self.count_refusals(&mut groups, now, &mut events);
        }
        let ruling = match deciding(&groups) {
            Some(finding) => self.ruling(finding, &groups, now),
            None => self.unasked(keys)?,
        };
        drop(groups);

        if intent == Intent::Charge {
            let counter = if ruling.decision.allowed { &self.allowed } else { &self.refused };
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.deliver(&events);
        Ok(ruling)
    }

    /// Charges every finding that admits, or none if the request's own new keys turn out to crowd each other out.
    fn charge(&self, groups: &mut [Group<'_>], now: Tick, cost: u32, events: &mut Vec<Event>) {
        for group in &mut *groups {
            for finding in group.findings.iter_mut().filter(|finding| finding.refusal.is_none()) {
                let mut reporter = self.reporter(finding.target.entry, events);
                finding.charge(&mut group.shard, now, cost, &mut reporter);
            }
        }
        if refused(groups) {
            for group in groups {
                for finding in group.findings.iter_mut().filter(|finding| finding.charged) {
                    finding.undo(&mut group.shard, now, cost);
                }
            }
        }
    }

    fn count_refusals(&self, groups: &mut [Group<'_>], now: Tick, events: &mut Vec<Event>) {
        for group in groups {
            for Finding { target, refusal, .. } in &group.findings {
                let Some(cause) = *refusal else { continue };
                let entry = target.entry;
                let counter = match cause {
                    Cause::LimitExceeded => &entry.exceeded,
                    Cause::TableFull => &entry.table_full,
                    Cause::CostAboveLimit => &entry.above_limit,
                };
                counter.fetch_add(1, Ordering::Relaxed);

                let mut reporter = self.reporter(entry, events);
                match group.shard.find_mut(&target.place) {
                    Some(slot) if cause == Cause::LimitExceeded => {
                        let fingerprint = || self.fingerprints.fingerprint(entry.rule.name(), Some(target.key));
                        reporter.refused(&mut slot.episode, now, cause, fingerprint);
                    }
                    _ => entry.refused_shared(&mut reporter, now, cause, &self.fingerprints),
                }
            }
        }
    }

    fn ruling(&self, finding: &Finding<'_>, groups: &[Group<'_>], now: Tick) -> Ruling {
        let Finding { target, outlook, refusal, .. } = finding;
        let enforced = finding.is_enforced();
        let limit = target.entry.terms.limit;
        let full = *refusal == Some(Cause::TableFull);
        let decision = Decision {
            allowed: !(enforced && refusal.is_some()),
            rule: self.catalogue.id_at(target.index),
            limit,
            remaining: if full { 0 } else { limit.saturating_sub(outlook.used) },
            retry_after: if enforced { Duration::from_nanos(outlook.wait) } else { Duration::ZERO },
            reset_after: Duration::from_nanos(outlook.reset),
            source: match enforced {
                true if full => Source::TableFull,
                true => Source::Memory,
                false => Source::Shadow,
            },
        };
        let charged = groups.iter().flat_map(|group| &group.findings).filter(|finding| finding.charged);
        let places = charged.map(|finding| (finding.target.index, finding.target.place)).collect();
        Ruling { decision, charges: Charges { places, at: now } }
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

fn refused(groups: &[Group<'_>]) -> bool {
    findings(groups).any(|finding| finding.is_enforced() && finding.refusal.is_some())
}

/// Of enforced rules, the one with the longest wait if any refuses, else the one with the least room; else of the
/// others the one with the least room.
fn deciding<'a, 'g>(groups: &'g [Group<'a>]) -> Option<&'g Finding<'a>> {
    findings(groups).max_by_key(|finding| {
        let room = finding.target.entry.terms.limit.saturating_sub(finding.outlook.used);
        let wait = finding.refusal.map(|_| finding.outlook.wait);
        (finding.is_enforced(), wait, Reverse(room), finding.outlook.reset)
    })
}

fn findings<'a, 'g>(groups: &'g [Group<'a>]) -> impl Iterator<Item = &'g Finding<'a>> {
    groups.iter().flat_map(|group| &group.findings)
}
