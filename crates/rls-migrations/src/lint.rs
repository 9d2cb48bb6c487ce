//! The rules, applied to a catalogue.

mod design;
mod exposure;
mod isolation;
mod roles;
mod statements;

use sqlx::{Connection as _, PgConnection};

use crate::catalogue::Catalogue;
use crate::drift::{Change, Difference};
use crate::error::{Error, Repr};
use crate::finding::{Finding, Rule};
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::Sql;

/// What health finds: isolation and guards do not hold, or nearly do not.
pub(crate) fn isolation(model: &Model, catalogue: &Catalogue) -> Vec<Finding> {
    compare(model, catalogue).sorted()
}

/// Where the catalogue is not what was declared, in no order.
pub(crate) fn differences(model: &Model, catalogue: &Catalogue) -> Vec<Difference> {
    compare(model, catalogue).differences
}

/// What lint finds: the same as health, and weaknesses of the design and of what lies around the tables.
pub(crate) async fn findings(
    model: &Model,
    catalogue: &Catalogue,
    conn: &mut PgConnection,
) -> Result<Vec<Finding>, Error> {
    let mut report = compare(model, catalogue);
    design::check(model, catalogue, &mut report);
    around(model, conn, &mut report).await.map_err(Repr::Read)?;
    Ok(report.sorted())
}

fn compare(model: &Model, catalogue: &Catalogue) -> Report {
    let mut report = Report::default();
    roles::check(model, catalogue, &mut report);
    isolation::check(model, catalogue, &mut report);
    report
}

/// The rules that ask the server, one query each.
async fn around(model: &Model, conn: &mut PgConnection, report: &mut Report) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql("SET LOCAL search_path = pg_catalog").execute(&mut *tx).await?;
    exposure::check(model, &mut tx, report).await?;
    statements::check(model, &mut tx, report).await?;
    tx.rollback().await
}

#[derive(Debug, Default)]
struct Report {
    findings: Vec<Finding>,
    differences: Vec<Difference>,
}

impl Report {
    fn find(&mut self, rule: Rule, object: impl Into<String>) {
        self.add(Finding { rule, object: object.into(), detail: None, fix: None });
    }

    fn find_with_fix(&mut self, rule: Rule, object: impl Into<String>, fix: &Sql) {
        self.add(Finding { rule, object: object.into(), detail: None, fix: Some(fix.as_str().to_owned()) });
    }

    fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// A finding that is also a difference between the declaration and the database.
    fn differs(&mut self, change: Change, rule: Rule, object: &str, what: impl Into<String>) {
        let what = what.into();
        self.add(Finding { rule, object: object.to_owned(), detail: Some(what.clone()), fix: None });
        self.differences.push(Difference { change, object: object.to_owned(), what });
    }

    fn differs_with_fix(&mut self, change: Change, rule: Rule, object: &str, what: impl Into<String>, fix: &Sql) {
        self.differs(change, rule, object, what);
        if let Some(finding) = self.findings.last_mut() {
            finding.fix = Some(fix.as_str().to_owned());
        }
    }

    /// A difference that is no weakness by itself.
    fn drifts(&mut self, change: Change, object: &str, what: impl Into<String>) {
        self.differences.push(Difference { change, object: object.to_owned(), what: what.into() });
    }

    fn sorted(self) -> Vec<Finding> {
        let mut findings = self.findings;
        findings.sort_by(|a, b| {
            let key = |finding: &Finding| (std::cmp::Reverse(finding.severity()), finding.rule());
            key(a).cmp(&key(b)).then_with(|| (&a.object, &a.detail).cmp(&(&b.object, &b.detail)))
        });
        findings.dedup();
        findings
    }
}

fn dotted(model: &Model, table: &str) -> String {
    [model.schema.as_str(), ".", table].concat()
}

/// A name out of the catalogue, which PostgreSQL has already accepted.
fn quoted(schema: &str, name: &str) -> Option<(Ident, Ident)> {
    Some((Ident::new(schema).ok()?, Ident::new(name).ok()?))
}
