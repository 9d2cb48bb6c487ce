//! What a drill found, for the person who signs it and for whoever asks later.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use super::{Drill, Part, Snapshot};

/// One object that is not the same in both databases, or that could not be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Discrepancy {
    /// The part of the database.
    pub part: Part,
    /// The object.
    pub object: String,
    /// Its description in the source; `None` where it is not there.
    pub source: Option<String>,
    /// Its description in what was restored; `None` where it is not there.
    pub restored: Option<String>,
    /// Why somebody expected it, with [`Drill::accept`].
    pub accepted: Option<String>,
}

/// The outcome of a check of the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Check {
    /// It passed, and says what it looked at.
    Passed(String),
    /// It failed, and says why.
    Failed(String),
    /// It is required, and nobody ran it.
    NotRun,
}

/// The result of a [`Drill`].
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
pub struct DrillReport {
    source: Origin,
    restored: Origin,
    compared: BTreeMap<Part, usize>,
    discrepancies: Vec<Discrepancy>,
    checks: BTreeMap<String, Check>,
    signed_off_by: Option<String>,
}

#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
struct Origin {
    database: String,
    server: String,
    taken_at: String,
}

const UNREAD: &str = "could not be read";

impl DrillReport {
    pub(super) fn of(drill: Drill, source: &Snapshot, restored: &Snapshot) -> Self {
        let mut compared = BTreeMap::new();
        let mut discrepancies = Vec::new();
        for part in Part::ALL.iter().copied() {
            let nothing = BTreeMap::new();
            // A part that a snapshot of another version does not have is one object that could not be read.
            let unknown = BTreeMap::from([(part.to_string(), None)]);
            let (source, restored) = match (source.part(part), restored.part(part)) {
                (None, None) => (&unknown, &nothing),
                (source, restored) => (source.unwrap_or(&unknown), restored.unwrap_or(&unknown)),
            };
            let objects: BTreeSet<&String> = source.keys().chain(restored.keys()).collect();
            compared.insert(part, objects.len());
            for object in objects {
                let (source, restored) = (source.get(object), restored.get(object));
                let unread = matches!(source, Some(None)) || matches!(restored, Some(None));
                if source != restored || unread {
                    let text = |side: Option<&Option<String>>| {
                        side.map(|text| text.clone().unwrap_or_else(|| UNREAD.to_owned()))
                    };
                    let (source, restored) = (text(source), text(restored));
                    let accepted = drill.accepted.get(&(part, object.clone())).cloned();
                    discrepancies.push(Discrepancy { part, object: object.clone(), source, restored, accepted });
                }
            }
        }
        let origin = |snapshot: &Snapshot| Origin {
            database: snapshot.database.clone(),
            server: snapshot.server.clone(),
            taken_at: snapshot.taken_at.clone(),
        };
        Self {
            source: origin(source),
            restored: origin(restored),
            compared,
            discrepancies,
            checks: drill.required.into_iter().map(|name| (name, Check::NotRun)).collect(),
            signed_off_by: None,
        }
    }

    /// Records a check of the caller's own on the restored database, such as the health of an audit chain: what it
    /// looked at, or why it failed.
    pub async fn check(
        mut self,
        name: impl Into<String>,
        outcome: impl Future<Output = Result<String, String>>,
    ) -> Self {
        let outcome = outcome.await.map_or_else(Check::Failed, Check::Passed);
        self.checks.insert(name.into(), outcome);
        self
    }

    /// Who has read the report and answers for the drill. Says nothing about its result.
    pub fn signed_off_by(mut self, who: impl Into<String>) -> Self {
        self.signed_off_by = Some(who.into());
        self
    }

    /// Whether everything was compared and equal, or accepted, at least one table was among it, and every check passed.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.compared.get(&Part::Rows).is_some_and(|tables| *tables > 0)
            && self.unexpected().next().is_none()
            && self.checks.values().all(|check| matches!(check, Check::Passed(_)))
    }

    /// Everything that is not equal or was not compared, accepted or not.
    #[must_use]
    pub fn discrepancies(&self) -> &[Discrepancy] {
        &self.discrepancies
    }

    /// The discrepancies that nobody accepted.
    pub fn unexpected(&self) -> impl Iterator<Item = &Discrepancy> {
        self.discrepancies.iter().filter(|found| found.accepted.is_none())
    }

    /// The report as a Markdown document.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let result = if self.is_green() { "passed" } else { "FAILED" };
        let signed = self.signed_off_by.as_deref().unwrap_or("nobody yet");
        let mut text = format!("# Restore drill: {result}\n\n| | database | server | read at |\n|---|---|---|---|\n");
        for (name, origin) in [("source", &self.source), ("restored", &self.restored)] {
            let Origin { database, server, taken_at } = origin;
            text.push_str(&format!("| {name} | {} | {} | {taken_at} |\n", cell(database), cell(server)));
        }
        text.push_str(&format!(
            "\nSigned off by: {}\n\n| compared | objects | differ |\n|---|---|---|\n",
            cell(signed)
        ));
        for (part, objects) in &self.compared {
            let differ = self.discrepancies.iter().filter(|found| found.part == *part).count();
            text.push_str(&format!("| {part} | {objects} | {differ} |\n"));
        }
        if !self.discrepancies.is_empty() {
            text.push_str("\n| part | object | source | restored | accepted because |\n|---|---|---|---|---|\n");
        }
        for Discrepancy { part, object, source, restored, accepted } in &self.discrepancies {
            let [source, restored] = [source, restored].map(|side| cell(side.as_deref().unwrap_or("not there")));
            let accepted = cell(accepted.as_deref().unwrap_or_default());
            text.push_str(&format!("| {part} | {} | {source} | {restored} | {accepted} |\n", cell(object)));
        }
        if !self.checks.is_empty() {
            text.push_str("\n| check | outcome | |\n|---|---|---|\n");
        }
        for (name, check) in &self.checks {
            let (outcome, detail) = match check {
                Check::Passed(detail) => ("passed", detail.as_str()),
                Check::Failed(detail) => ("FAILED", detail.as_str()),
                Check::NotRun => ("NOT RUN", ""),
            };
            text.push_str(&format!("| {} | {outcome} | {} |\n", cell(name), cell(detail)));
        }
        text
    }

    /// The report as a JSON document, with `green` beside what it was made of.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let report = serde_json::to_value(self).unwrap_or_default();
        serde_json::json!({ "green": self.is_green(), "report": report })
    }
}

/// The report as Markdown.
impl fmt::Display for DrillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_markdown())
    }
}

/// A text inside a cell of a Markdown table: names and definitions cannot end it, nor begin markup.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            '|' | '`' | '<' | '>' | '[' | ']' | '\\' | '*' => cell.extend(['\\', c]),
            c if c.is_control() => cell.push(' '),
            c => cell.push(c),
        }
    }
    cell
}
