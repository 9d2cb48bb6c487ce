//! The rules, applied to a catalogue.

mod design;
mod isolation;
mod roles;

use crate::catalogue::Catalogue;
use crate::finding::{Finding, Rule};
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::Sql;

/// What health finds: isolation and guards do not hold, or nearly do not.
pub(crate) fn isolation(model: &Model, catalogue: &Catalogue) -> Vec<Finding> {
    let mut report = Report::default();
    roles::check(model, catalogue, &mut report);
    isolation::check(model, catalogue, &mut report);
    report.sorted()
}

/// What lint finds: the same, and weaknesses of the design.
pub(crate) fn findings(model: &Model, catalogue: &Catalogue) -> Vec<Finding> {
    let mut report = Report::default();
    roles::check(model, catalogue, &mut report);
    isolation::check(model, catalogue, &mut report);
    design::check(model, catalogue, &mut report);
    report.sorted()
}

#[derive(Debug, Default)]
struct Report(Vec<Finding>);

impl Report {
    fn find(&mut self, rule: Rule, object: impl Into<String>) {
        self.0.push(Finding { rule, object: object.into(), fix: None });
    }

    fn find_with_fix(&mut self, rule: Rule, object: impl Into<String>, fix: &Sql) {
        self.0.push(Finding { rule, object: object.into(), fix: Some(fix.as_str().to_owned()) });
    }

    fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by(|a, b| {
            let key = |finding: &Finding| (std::cmp::Reverse(finding.severity()), finding.rule());
            key(a).cmp(&key(b)).then_with(|| a.object.cmp(&b.object))
        });
        self.0.dedup();
        self.0
    }
}

fn dotted(model: &Model, table: &str) -> String {
    [model.schema.as_str(), ".", table].concat()
}

/// A name out of the catalogue, which PostgreSQL has already accepted.
fn quoted(schema: &str, name: &str) -> Option<(Ident, Ident)> {
    Some((Ident::new(schema).ok()?, Ident::new(name).ok()?))
}
