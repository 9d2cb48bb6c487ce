//! What lint found, for people and for tools.

#[cfg(feature = "serde")]
mod json;
mod junit;
#[cfg(feature = "serde")]
mod sarif;

use std::fmt;

use crate::finding::{Finding, Severity};

/// The findings of a [`lint`](crate::Schema::lint), to be printed as a table (`Display`) or given to a tool.
///
/// ```no_run
/// use stockade_rls_migrations::{LintReport, Schema, Severity};
///
/// # async fn run(schema: Schema, conn: &mut sqlx::PgConnection) -> Result<(), stockade_rls_migrations::Error> {
/// let report = LintReport::new(schema.lint(conn).await?);
/// println!("{report}");
/// std::fs::write("lint.xml", report.to_junit()).unwrap();
/// assert!(!report.reaches(Severity::Warning));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct LintReport {
    findings: Vec<Finding>,
}

impl LintReport {
    /// A report of these findings, in this order.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// The findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == severity).count()
    }

    /// Whether a finding is at least as bad as `severity`.
    #[must_use]
    pub fn reaches(&self, severity: Severity) -> bool {
        self.findings.iter().any(|finding| finding.severity() >= severity)
    }
}

/// A table with a line for each finding, what was seen and the repair indented below it, and the counts at the end.
impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: fn(&Finding) -> usize| self.findings.iter().map(text).max().unwrap_or_default().min(50);
        let rules = width(|finding| finding.rule().id().len());
        let objects = width(|finding| finding.object().chars().count());
        for finding in &self.findings {
            let (severity, rule) = (finding.severity().to_string(), finding.rule().id());
            let object = finding.object().escape_debug().to_string();
            writeln!(f, "{severity:7}  {rule:rules$}  {object:objects$}  {}", finding.why())?;
            if let Some(detail) = finding.detail() {
                writeln!(f, "         seen: {}", detail.escape_debug())?;
            }
            if let Some(fix) = finding.fix() {
                writeln!(f, "         fix:  {};", fix.replace('\n', " "))?;
            }
        }
        let [errors, warnings, notices] = [Severity::Error, Severity::Warning, Severity::Notice].map(|s| self.count(s));
        writeln!(f, "{errors} errors, {warnings} warnings, {notices} notices")
    }
}

#[cfg(test)]
mod tests;
