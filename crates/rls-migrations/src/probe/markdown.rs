//! The report as Markdown.

use std::fmt::Write as _;

use super::report::{ProbeReport, ProbeRow, Verdict, reason, some};

impl ProbeReport {
    /// The report as a Markdown page: a summary, a table of the kinds of attempt, and one of what leaked, is known or was not tested.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = String::new();
        let title = if self.is_isolated() { "holds" } else { "does not hold" };
        // Writing into a string does not fail.
        let _ = write!(page, "# Isolation of schema {} {title}\n\n{}.\n\n", cell(self.schema()), self.tally());
        page.push_str("| Attempt | Tenant A .. | Expected | Held | Leaked | Known | Untested | Verdict |\n|---|---|---|---|---|---|---|---|\n");
        for (attempt, tally) in self.by_kind() {
            let (id, sentence, expected) = (attempt.id(), cell(attempt.sentence()), cell(attempt.expected()));
            let counts = format!("{} | {} | {} | {}", tally.held, tally.leaked, tally.known, tally.untested);
            let _ = writeln!(page, "| `{id}` | {sentence} | {expected} | {counts} | {} |", tally.word());
        }
        let rest = self.grouped(|verdict| *verdict != Verdict::Held);
        if rest.is_empty() {
            return page;
        }
        page.push_str("\n| Verdict | Attempt | On | Expected | Seen | Why |\n|---|---|---|---|---|---|\n");
        for (row, objects) in rest {
            let (verdict, why) = words(row);
            let (id, expected) = (row.attempt().id(), cell(row.attempt().expected()));
            let _ = writeln!(
                page,
                "| {verdict} | `{id}` | {} | {expected} | {} | {} |",
                cell(&some(&objects)),
                cell(row.seen()),
                cell(&why)
            );
        }
        page
    }
}

fn words(row: &ProbeRow) -> (&'static str, String) {
    match row.verdict() {
        Verdict::Leaked => ("**leaked**", row.attempt().sentence().to_owned()),
        Verdict::Untested(_) => ("untested", reason(row)),
        Verdict::Known(_) => ("known", reason(row)),
        Verdict::Held => ("held", String::new()),
    }
}

/// Text that stays inside its cell and is no markup.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' => {
                safe.push('\\');
                safe.push(character);
            }
            '\n' | '\r' => safe.push(' '),
            _ => safe.push(character),
        }
    }
    safe
}
