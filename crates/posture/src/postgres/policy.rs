//! The control `rls.policies`: what the policies of one table let one role do.

mod expression;
mod token;

use chrono::{DateTime, Utc};

use crate::{
    control::ControlId,
    observation::{Observation, Subject},
};
use expression::{Reach, reach};

/// One policy that applies to the role, as the catalogue has it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Policy {
    pub(super) relation: i64,
    name: String,
    permissive: bool,
    /// `r`, `a`, `w`, `d`, or `*` for all.
    command: String,
    reads: Option<String>,
    writes: Option<String>,
}

/// What the policies of one table come to.
#[derive(Debug)]
pub(super) struct Verdict {
    policies: usize,
    refused: Vec<&'static str>,
    problem: Option<Problem>,
}

#[derive(Debug)]
enum Problem {
    NoPolicy,
    Open { policy: String, right: &'static Right },
    Unclear { policy: String, right: &'static Right },
}

#[derive(Debug, Clone, Copy)]
enum Clause {
    Using,
    WithCheck,
}

/// Something that PostgreSQL decides by itself for each row.
#[derive(Debug)]
struct Right {
    command: &'static str,
    clause: Clause,
    word: &'static str,
    phrase: &'static str,
}

const RIGHTS: [Right; 5] = [
    Right { command: "r", clause: Clause::Using, word: "reading", phrase: "reading rows of" },
    Right { command: "a", clause: Clause::WithCheck, word: "inserting", phrase: "inserting rows for" },
    Right { command: "w", clause: Clause::Using, word: "updating", phrase: "updating rows of" },
    Right { command: "w", clause: Clause::WithCheck, word: "moving", phrase: "moving rows to" },
    Right { command: "d", clause: Clause::Using, word: "deleting", phrase: "deleting rows of" },
];

/// Judges the policies that apply to the role.
///
/// PostgreSQL lets a row through if any permissive policy does and every restrictive one does; without a permissive policy nothing
/// passes. So a right is bound to the tenant if one restrictive policy binds it, or every permissive one.
pub(super) fn judge(policies: &[Policy], table: &str, tenant_column: &str) -> Verdict {
    let mut verdict = Verdict { policies: policies.len(), refused: vec![], problem: None };
    for right in &RIGHTS {
        let decide: Vec<(&Policy, Reach)> = policies
            .iter()
            .filter(|policy| policy.command == "*" || policy.command == right.command)
            .filter_map(|policy| Some((policy, reach(policy.expression(right.clause)?, table, tenant_column))))
            .collect();
        if !decide.iter().any(|(policy, _)| policy.permissive) {
            verdict.refused.push(right.word);
            continue;
        }
        if decide.iter().any(|(policy, reach)| !policy.permissive && *reach == Reach::Bound) {
            continue;
        }
        for (policy, reach) in decide.into_iter().filter(|(policy, _)| policy.permissive) {
            let policy = policy.name.clone();
            match reach {
                Reach::Open => verdict.report(Problem::Open { policy, right }),
                Reach::Unclear => verdict.report(Problem::Unclear { policy, right }),
                Reach::Bound => {}
            }
        }
    }
    if verdict.refused.len() == RIGHTS.len() {
        verdict.problem = Some(Problem::NoPolicy);
    }
    verdict
}

impl Policy {
    /// The expression that decides, if there is one: a missing `WITH CHECK` is `USING`, but an `INSERT` policy has no `USING`.
    fn expression(&self, clause: Clause) -> Option<&str> {
        match clause {
            Clause::Using => self.reads.as_deref(),
            Clause::WithCheck => self.writes.as_deref().or(self.reads.as_deref()),
        }
    }
}

impl Verdict {
    pub(super) fn observation(self, subject: Subject, at: DateTime<Utc>) -> Observation {
        let id = ControlId::RLS_POLICIES;
        let seen = match self.problem {
            None => Observation::pass(id, subject, at),
            Some(Problem::NoPolicy) => {
                Observation::fail(id, subject, at, "no policy applies to the role of the application")
            }
            Some(Problem::Open { policy, right }) => {
                Observation::fail(id, subject, at, format!("policy {policy} allows {} any tenant", right.phrase))
            }
            Some(Problem::Unclear { policy, right }) => Observation::unknown(
                id,
                subject,
                at,
                format!("policy {policy}: its rule for {} has a form that is not recognised", right.word),
            ),
        };
        let seen = seen.fact("policies", self.policies);
        if self.refused.is_empty() { seen } else { seen.fact("refused", self.refused.join(", ")) }
    }

    /// Keeps the worst problem, and of equal ones the first.
    fn report(&mut self, found: Problem) {
        if self.problem.is_none()
            || matches!((&self.problem, &found), (Some(Problem::Unclear { .. }), Problem::Open { .. }))
        {
            self.problem = Some(found);
        }
    }
}

#[cfg(test)]
mod tests;
