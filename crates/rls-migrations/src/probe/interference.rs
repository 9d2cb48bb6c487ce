//! Does what A reads change when B gets rows?
//!
//! A view or a function may show B's rows in a form that no search for B would find: a sum, a name, an ordinal. So its whole
//! answer to A is digested four times: before there are canaries, twice when A has rows, and when B has rows as well. A digest that the
//! last step changes is a leak; one that the first step did not change proves nothing.

use super::judge::{REFUSED, Seen};
use super::kind::Attempt;
use super::neighbours::Neighbours;
use super::program::{Body, Step};
use super::report::{ProbeRow, Verdict};
use super::seed::{Canaries, Who};
use crate::sql::{Sql, sql};

/// What A reads, and what it says at each stage.
#[derive(Debug)]
pub(super) struct Observed {
    attempt: Attempt,
    object: String,
    /// The answer for which A's own row is the control, and the one that B's row must not change.
    control: Sql,
    attack: Sql,
    seen: Vec<Seen>,
}

/// Everything that can be read without arguments, or with tenants for arguments.
pub(super) fn observed(neighbours: &Neighbours, canaries: &Canaries<'_>, rows: &mut Vec<ProbeRow>) -> Vec<Observed> {
    let mut observed = Vec::new();
    for view in neighbours.views.iter().filter(|view| !view.materialized) {
        let digest = digest(&view.name);
        let (control, attack) = (digest.clone(), digest);
        observed.push(Observed {
            attempt: Attempt::ViewRead,
            object: view.object.clone(),
            control,
            attack,
            seen: Vec::new(),
        });
    }
    for function in &neighbours.functions {
        let row = |why: &str| ProbeRow {
            attempt: Attempt::DefinerFunction,
            object: function.signature.clone(),
            seen: "not called".to_owned(),
            verdict: Verdict::Untested(why.to_owned()),
        };
        match function.arguments {
            _ if !function.answers => rows.push(row("it answers nothing that could be compared")),
            None => rows.push(row("it takes arguments other than tenants")),
            Some(count) => {
                let call = |who| {
                    let arguments = (0..count).map(|_| canaries.tenant(who));
                    digest(&sql!("{}({})", function.name, Sql::list(arguments)))
                };
                let (control, attack) = (call(Who::A), call(Who::B));
                let (attempt, object) = (Attempt::DefinerFunction, function.signature.clone());
                observed.push(Observed { attempt, object, control, attack, seen: Vec::new() });
            }
        }
    }
    observed
}

/// The whole answer as one number; -1 when it is too long to be digested.
fn digest(source: &Sql) -> Sql {
    sql!(
        "SELECT CASE WHEN count(*) > 10000 THEN -1 ELSE abs(hashtextextended(coalesce(string_agg(x.t, ',' ORDER BY x.t), ''), 0) / 2) END
           FROM (SELECT r::text AS t FROM {} r LIMIT 10001) x",
        source
    )
}

impl Observed {
    /// The two questions of one stage.
    pub(super) fn steps(&self) -> [Step; 2] {
        [&self.control, &self.attack].map(|query| Step { before: sql!(""), body: Body::Query(query.clone()) })
    }

    pub(super) fn note(&mut self, seen: impl IntoIterator<Item = Seen>) {
        self.seen.extend(seen);
    }

    /// The stages: before; A; A again; A and B.
    pub(super) fn row(self) -> ProbeRow {
        let [before, _, control, first, _, again, _, last] = &self.seen[..] else {
            return self.untested("not read", "it was not read to the end".to_owned());
        };
        let failed = |code: &str| format!("it fails ({code})");
        match (before, control, first, again, last) {
            (.., Seen::Error { code, .. }) if code == REFUSED => self.as_row("refused", Verdict::Held),
            (Seen::Error { code, .. }, ..) | (.., Seen::Error { code, .. }) => {
                let why = failed(code);
                self.untested("an error", why)
            }
            (.., Seen::Rows(-1)) | (Seen::Rows(-1), ..) => {
                self.untested("more than 10,000 rows", "it is too long to be compared".to_owned())
            }
            (_, _, first, again, _) if first != again => {
                self.untested("it changes by itself", "its answer changes without a change of rows".to_owned())
            }
            (_, _, _, again, last) if again != last => {
                self.as_row("its answer changed when B got rows", Verdict::Leaked)
            }
            (before, control, ..) if before == control => {
                self.untested("it never changed", "A's own rows do not show in it either".to_owned())
            }
            _ => self.as_row("the same before and after", Verdict::Held),
        }
    }

    fn untested(&self, seen: &str, why: String) -> ProbeRow {
        self.as_row(seen, Verdict::Untested(why))
    }

    fn as_row(&self, seen: &str, verdict: Verdict) -> ProbeRow {
        ProbeRow { attempt: self.attempt, object: self.object.clone(), seen: seen.to_owned(), verdict }
    }
}
