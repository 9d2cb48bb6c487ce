//! What a probe found.

use std::collections::BTreeMap;
use std::fmt;

use super::kind::Attempt;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Tenant A reached, changed or learned something of B.
    Leaked,
    /// The attempt could not be made, or its answer proves nothing, for this reason.
    Untested(String),
    /// A documented channel that PostgreSQL or the declaration leaves open; the control that closes it.
    Known(&'static str),
    /// The database answered as expected, and a control shows that it would have answered otherwise.
    Held,
}

/// One attempt on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRow {
    pub(super) attempt: Attempt,
    pub(super) object: String,
    pub(super) seen: String,
    pub(super) verdict: Verdict,
}

impl ProbeRow {
    /// What was tried.
    #[must_use]
    pub fn attempt(&self) -> Attempt {
        self.attempt
    }

    /// On what: a name with its schema, `database`, or `login`.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What the database answered: a number of rows, an SQLSTATE, or a short fact. Never a row's contents.
    #[must_use]
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// What that means.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// The proof by attack of one schema. Made by [`Schema::probe`](crate::Schema::probe).
///
/// `Display` writes a table for a person, one line a kind of attempt, then each leak and each reason why something was not tested.
#[derive(Debug, Clone)]
#[must_use]
pub struct ProbeReport {
    pub(super) schema: String,
    pub(super) rows: Vec<ProbeRow>,
}

/// How many attempts of one kind ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) held: usize,
    pub(super) leaked: usize,
    pub(super) untested: usize,
    pub(super) known: usize,
}

impl ProbeReport {
    /// Every attempt, by kind and then by object.
    #[must_use]
    pub fn rows(&self) -> &[ProbeRow] {
        &self.rows
    }

    /// The attempts that leaked.
    pub fn leaks(&self) -> impl Iterator<Item = &ProbeRow> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Leaked)
    }

    /// The attempts that were not made or prove nothing.
    pub fn untested(&self) -> impl Iterator<Item = &ProbeRow> {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Untested(_)))
    }

    /// Whether nothing leaked and at least one attempt held. It says nothing about what is [`untested`](Self::untested).
    #[must_use]
    pub fn is_isolated(&self) -> bool {
        self.leaks().next().is_none() && self.rows.iter().any(|row| row.verdict == Verdict::Held)
    }

    /// The schema that was probed.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.rows.iter().for_each(|row| tally.count(&row.verdict));
        tally
    }

    pub(super) fn by_kind(&self) -> BTreeMap<Attempt, Tally> {
        let mut kinds: BTreeMap<Attempt, Tally> = BTreeMap::new();
        for row in &self.rows {
            kinds.entry(row.attempt).or_default().count(&row.verdict);
        }
        kinds
    }

    /// The rows of one verdict, those that say the same joined: the first row of each group and the objects of all.
    pub(super) fn grouped(&self, is: impl Fn(&Verdict) -> bool) -> Vec<(&ProbeRow, Vec<&str>)> {
        let mut groups: Vec<(&ProbeRow, Vec<&str>)> = Vec::new();
        let mut position: BTreeMap<(Attempt, &Verdict, &str), usize> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| is(&row.verdict)) {
            let place = *position.entry((row.attempt, &row.verdict, &row.seen)).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, objects)) => objects.push(&row.object),
                None => groups.push((row, vec![&row.object])),
            }
        }
        groups
    }
}

impl Tally {
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Held => self.held += 1,
            Verdict::Leaked => self.leaked += 1,
            Verdict::Untested(_) => self.untested += 1,
            Verdict::Known(_) => self.known += 1,
        }
    }

    /// The verdict of a kind as one word: the worst.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self { leaked: 1.., .. } => "LEAKED",
            Self { untested: 1.., .. } => "untested",
            Self { known: 1.., .. } => "known",
            _ => "held",
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, leaked, untested, known } = self;
        write!(f, "{leaked} leaked, {held} held, {known} known, {untested} untested")
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<28} {:>6} {:>6} {:>6} {:>8}  tenant A ..", "attempt", "leaked", "held", "known", "untested")?;
        for (attempt, tally) in self.by_kind() {
            let Tally { held, leaked, untested, known } = tally;
            let mark = if leaked > 0 { "!" } else { " " };
            let sentence = attempt.sentence();
            writeln!(f, "{mark}{:<27} {leaked:>6} {held:>6} {known:>6} {untested:>8}  {sentence}", attempt.id())?;
        }
        section(f, "Leaked", &self.grouped(|verdict| *verdict == Verdict::Leaked), |row| row.seen.clone())?;
        section(f, "Untested", &self.grouped(|verdict| matches!(verdict, Verdict::Untested(_))), reason)?;
        section(f, "Known", &self.grouped(|verdict| matches!(verdict, Verdict::Known(_))), reason)?;
        write!(f, "\n{} in schema {}", self.tally(), self.schema.escape_debug())
    }
}

/// What is to be said about a row besides its kind and its object.
pub(super) fn reason(row: &ProbeRow) -> String {
    match &row.verdict {
        Verdict::Untested(reason) => reason.clone(),
        Verdict::Known(control) => format!("closed by: {control}"),
        Verdict::Leaked | Verdict::Held => row.seen.clone(),
    }
}

/// The first names, and how many more there are.
pub(super) fn some(objects: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = objects.iter().take(SHOWN).map(|object| object.escape_debug().to_string()).collect();
    let more = objects.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

fn section(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    groups: &[(&ProbeRow, Vec<&str>)],
    text: impl Fn(&ProbeRow) -> String,
) -> fmt::Result {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    for (row, objects) in groups {
        writeln!(f, "  {}: {}: {}", row.attempt.id(), some(objects), text(row))?;
    }
    Ok(())
}
