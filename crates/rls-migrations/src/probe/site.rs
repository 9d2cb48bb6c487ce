//! A tenant table with canary rows in it, and everything that an attempt on it has to name.

use super::facts::{Facts, Source};
use super::judge::Controls;
use super::seed::{Canaries, FRESH, Filling, Parents, RowOf, Who};
use crate::ident::{Ident, Literal};
use crate::model::Table;
use crate::sql::{Sql, sql};

#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) canaries: &'a Canaries<'a>,
    pub(super) entry: &'a Table,
    pub(super) facts: &'a Facts,
    /// The table's qualified name.
    pub(super) table: &'a Sql,
    pub(super) tenant: &'a Ident,
    pub(super) filling: &'a Filling,
    pub(super) ctid: Option<&'a Literal>,
    pub(super) a: Sql,
    pub(super) b: Sql,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        canaries: &'a Canaries<'a>,
        name: &str,
        filling: &'a Filling,
        ctid: Option<&'a Literal>,
    ) -> Option<Self> {
        let (entry, facts, tenant) = canaries.tenant_table(canaries.model.schema.as_str(), name)?;
        let (a, b) = (canaries.tenant(Who::A), canaries.tenant(Who::B));
        Some(Self { canaries, entry, facts, table: &facts.qualified, tenant, filling, ctid, a, b })
    }

    /// A column that the application may change, if there is one that is in no key; else the tenant's.
    pub(super) fn changeable(&self) -> &Ident {
        let plain = self.facts.columns.iter().find(|column| {
            column.may.update
                && column.may.select
                && !column.unique
                && !matches!(column.source, Source::Generated | Source::Identity)
                && column.name != *self.tenant
                && self.facts.key_of(column.name.as_str()).is_none()
        });
        plain.map_or(self.tenant, |column| &column.name)
    }

    /// A fresh row of `tenant`, which hangs from the canary rows of `parents`.
    pub(super) fn fresh(&self, tenant: &Sql, parents: Who) -> Result<Sql, String> {
        self.row(tenant, FRESH, parents, Vec::new())
    }

    pub(super) fn row(
        &self,
        tenant: &Sql,
        variant: u32,
        parents: Who,
        given: Vec<(String, Sql)>,
    ) -> Result<Sql, String> {
        self.canaries.insert(self.facts.name.as_str(), &self.row_of(tenant, variant, parents, given))
    }

    pub(super) fn row_of(&self, tenant: &Sql, variant: u32, parents: Who, given: Vec<(String, Sql)>) -> RowOf<'a> {
        let parents = Parents::Of(parents);
        RowOf { tenant: tenant.clone(), variant, parents, filling: self.filling, given, into: None }
    }

    /// The table's name, as a report has it.
    pub(super) fn object(&self) -> String {
        [self.canaries.model.schema.as_str(), ".", self.facts.name.as_str()].concat()
    }

    pub(super) fn controls(&self) -> Controls {
        Controls::of(self.facts, self.tenant)
    }

    /// Rows of one tenant.
    pub(super) fn is(&self, tenant: &Sql) -> Sql {
        sql!("{} WHERE {} = {}", self.table, self.tenant, tenant)
    }
}
