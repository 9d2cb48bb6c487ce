//! An assessment as Markdown, for a ticket or a repository.

use std::fmt::Write as _;

use crate::{
    assessment::Assessment,
    capability::Capability,
    criterion::CriterionRef,
    fact::Fact,
    observation::Observation,
    render::{NOTICE, SCOPE, day, moment},
    result::ControlResult,
    status::Status,
};

/// The assessment as GitHub-flavoured Markdown: summary, criteria, what to fix, evidence.
///
/// Every text from outside is escaped: it can make no markup, no link and no further table cell.
#[must_use]
pub fn markdown(assessment: &Assessment) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = summary(&mut out, assessment)
        .and_then(|()| drift(&mut out, assessment))
        .and_then(|()| criteria(&mut out, assessment))
        .and_then(|()| fix_next(&mut out, assessment))
        .and_then(|()| evidence(&mut out, assessment));
    let _ = write!(out, "\n## Scope\n\n{SCOPE}\n");
    out
}

fn summary(out: &mut String, assessment: &Assessment) -> std::fmt::Result {
    let coverage = assessment.coverage();
    writeln!(out, "# Compliance posture\n\n{NOTICE}\n\n| | |\n|---|---|")?;
    match assessment.score() {
        None => writeln!(out, "| Score | none: nothing was measured |")?,
        Some(score) => match score.capped_by {
            Some(id) => writeln!(out, "| Score | {} of 100, capped by `{id}` |", score.points)?,
            None => writeln!(out, "| Score | {} of 100 |", score.points)?,
        },
    }
    writeln!(out, "| Measured | {} of {} controls |", coverage.measured, coverage.applicable)?;
    let freshness = assessment.freshness();
    writeln!(
        out,
        "| Evidence | {} fresh, {} stale, {} too old or not valid |",
        freshness.fresh, freshness.stale, freshness.outdated
    )?;
    if let Some(oldest) = assessment.oldest_evidence() {
        writeln!(out, "| Oldest evidence | {} |", moment(oldest))?;
    }
    writeln!(out, "| Assessed | {} |", moment(assessment.at()))?;
    writeln!(out, "| Catalogue | version {} |", assessment.catalog_version())?;
    writeln!(out, "| SHA-256 of the JSON | `{}` |", assessment.digest())
}

fn drift(out: &mut String, assessment: &Assessment) -> std::fmt::Result {
    let Some(drift) = assessment.drift() else { return Ok(()) };
    writeln!(out, "\n## Since {}\n", moment(drift.since))?;
    match (drift.points, drift.gain) {
        (Some(before), Some(gain)) => writeln!(out, "The score was {before} ({gain:+}).")?,
        (Some(before), None) => writeln!(out, "The score was {before}.")?,
        (None, _) => writeln!(out, "There was no score.")?,
    }
    if drift.changes.is_empty() {
        return writeln!(out, "\nNo status has changed.");
    }
    writeln!(out, "\n| Control | Was | Is | |\n|---|---|---|---|")?;
    drift.changes.iter().try_for_each(|change| {
        let (from, to) = (change.from.words(), change.to.words());
        writeln!(out, "| `{}` | {from} | {to} | {} |", change.control, change.direction().word())
    })
}

fn criteria(out: &mut String, assessment: &Assessment) -> std::fmt::Result {
    writeln!(out, "\n## Criteria\n\n| Criterion | In our words | Controls |\n|---|---|---|")?;
    for criterion in CriterionRef::ALL {
        let controls: Vec<String> = assessment
            .results()
            .iter()
            .filter(|result| result.control().criteria.contains(criterion))
            .map(|result| format!("`{}` {}", result.control().id, result.status().words().to_lowercase()))
            .collect();
        writeln!(out, "| {criterion} | {} | {} |", criterion.title(), controls.join("; "))?;
    }
    Ok(())
}

fn fix_next(out: &mut String, assessment: &Assessment) -> std::fmt::Result {
    writeln!(out, "\n## Fix next\n")?;
    if assessment.fix_next().is_empty() {
        return writeln!(out, "Nothing: every control that applies is in place.");
    }
    writeln!(out, "| Gain | Severity | Control | Why | Fix | State |\n|---|---|---|---|---|---|")?;
    for item in assessment.fix_next() {
        let (why, fix) = (escape(&item.why), escape(item.control.fix.text()));
        let taken = item.plan.as_ref().map(|plan| format!(": {}, {}", escape(plan.owner()), day(plan.due())));
        let state = format!("{}{}", item.state.word(), taken.unwrap_or_default());
        let severity = item.severity.word();
        writeln!(out, "| +{} | {severity} | `{}` | {why} | {fix} | {state} |", item.points, item.control.id)?;
    }
    Ok(())
}

fn evidence(out: &mut String, assessment: &Assessment) -> std::fmt::Result {
    writeln!(out, "\n## Evidence")?;
    for capability in Capability::ALL {
        writeln!(out, "\n### {}", capability.title())?;
        for result in assessment.results().iter().filter(|result| result.control().capability == capability) {
            control(out, result)?;
        }
    }
    Ok(())
}

fn control(out: &mut String, result: &ControlResult) -> std::fmt::Result {
    let (control, status) = (result.control(), result.status());
    writeln!(out, "\n#### `{}`: {}\n\n{}", control.id, status.words().to_lowercase(), control.objective)?;
    if let Status::NotApplicable { reason, approved_by, until } = status {
        writeln!(
            out,
            "\n- Not applicable until {}: {} (approved by {})",
            day(*until),
            escape(reason),
            escape(approved_by)
        )?;
    }
    if let Some(plan) = result.plan() {
        writeln!(out, "\n- Planned by {} for {}", escape(plan.owner()), day(plan.due()))?;
    }
    if let Some(stated) = result.attestation() {
        let (by, statement) = (escape(stated.by()), escape(stated.statement()));
        let evidence = stated
            .evidence_reference()
            .map(|reference| format!("; evidence: {}", escape(reference)))
            .unwrap_or_default();
        let (given, until) = (day(stated.given_at()), day(stated.valid_until()));
        writeln!(out, "\n- Attested by {by} on {given}, valid until {until}: {statement}{evidence}")?;
    }
    if result.observations().is_empty() {
        return if result.attestation().is_none() { writeln!(out, "\nNo evidence.") } else { Ok(()) };
    }
    writeln!(out, "\n| Subject | Outcome | Facts | Collected |\n|---|---|---|---|")?;
    result.observations().iter().try_for_each(|seen| row(out, seen))
}

fn row(out: &mut String, seen: &Observation) -> std::fmt::Result {
    let reason = seen.outcome().reason().map(|reason| format!(": {}", escape(reason))).unwrap_or_default();
    let facts: Vec<String> = seen
        .facts()
        .iter()
        .map(|(key, fact)| match fact {
            Fact::Count(count) => format!("{} {count}", escape(key)),
            Fact::Flag(flag) => format!("{} {flag}", escape(key)),
            Fact::Name(value) => format!("{} {}", escape(key), name(value)),
        })
        .collect();
    let (subject, outcome, facts) = (name(seen.subject().as_str()), seen.outcome().word(), facts.join(", "));
    let (at, by) = (moment(seen.collected_at()), escape(seen.collector()));
    writeln!(out, "| {subject} | {outcome}{reason} | {facts} | {at} by {by} |")
}

/// A name in a code span, if nothing in it could end the span or the table cell; otherwise escaped like any other text.
fn name(text: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-' | '/' | ':' | '(' | ')' | '"' | ',');
    if !text.is_empty() && text.chars().all(is_plain) { format!("`{text}`") } else { escape(text) }
}

/// Escapes what Markdown, its tables and its automatic links could take for markup. The text is one line already, and never
/// begins one.
///
/// A bar becomes an entity, because renderers disagree on a bar after backslashes; a colon before a slash and the full stop
/// of `www.` do, because a backslash does not stop an automatic link.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' => escaped.push_str("&#124;"),
            '@' => escaped.push_str("&#64;"),
            ':' if rest.peek() == Some(&'/') => escaped.push_str("&#58;"),
            '.' if escaped.to_lowercase().ends_with("www") => escaped.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '~' | '$' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}
