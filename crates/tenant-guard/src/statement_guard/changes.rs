//! `INSERT`, `UPDATE` and `DELETE`, of protected tables alone.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, DoUpdate, FromTable, Insert, ObjectName, OnConflict,
    OnConflictAction, OnInsert, Query, SelectItem, SetExpr, TableFactor, TableObject, TableWithJoins, Update,
    UpdateTableFromKind,
};

use super::sources::{Sources, is_tenant};
use super::walk::Walk;
use super::{Dialect, Refused, names};

impl<'g> Walk<'g> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Result<(), Refused> {
        let Insert {
            insert_token: _,
            optimizer_hints,
            // `OR REPLACE` deletes the row in the way, whoever it belongs to.
            or: None,
            ignore: false,
            into: true,
            table: TableObject::TableName(name),
            table_alias: None,
            columns,
            overwrite: false,
            source: Some(source),
            assignments,
            partitioned: None,
            after_columns,
            has_table_keyword: false,
            on,
            returning,
            output: None,
            replace_into: false,
            priority: None,
            insert_alias: None,
            settings: None,
            format_clause: None,
            multi_table_insert_type: None,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause: None,
        } = insert
        else {
            return Err(Refused::Construct);
        };
        let has_foreign_parts = !optimizer_hints.is_empty()
            || !assignments.is_empty()
            || !after_columns.is_empty()
            || !multi_table_into_clauses.is_empty()
            || !multi_table_when_clauses.is_empty();
        Self::admit((!has_foreign_parts).then_some(()))?;
        let mut target = Sources::default();
        self.target(name, None, &mut target)?;
        self.query(source)?;
        let mut positions = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            if self.is_tenant_column(name, column)? {
                positions.push(at);
            }
        }
        match positions.as_slice() {
            [at] if gives_tenant(&source.body, *at, columns.len(), self.guard.dialect) => {}
            _ => return Err(Refused::TenantColumn),
        }
        match on {
            None => {}
            Some(OnInsert::OnConflict(OnConflict { conflict_target, action })) => {
                Self::admit(matches!(conflict_target, None | Some(ConflictTarget::Columns(_))).then_some(()))?;
                if let OnConflictAction::DoUpdate(DoUpdate { assignments, selection }) = action {
                    // The row in the way may be another tenant's.
                    self.assignments(name, assignments)?;
                    selection.iter().try_for_each(|condition| self.expression(condition))?;
                    // Two relations are visible, so that the column needs its qualifier: the target's row, and the new one.
                    let mut both = Sources::default();
                    self.target(name, None, &mut both)?;
                    both.excluded()?;
                    both.close(selection.as_ref(), self.guard.dialect)?;
                }
            }
            Some(_) => return Err(Refused::Construct),
        }
        returning.iter().try_for_each(|items| self.items(items))
    }

    pub(super) fn update(&mut self, update: &Update) -> Result<(), Refused> {
        let Update {
            update_token: _,
            optimizer_hints,
            table,
            assignments,
            from,
            selection,
            returning,
            output: None,
            or: None,
            order_by,
            limit: None,
        } = update
        else {
            return Err(Refused::Construct);
        };
        Self::admit((optimizer_hints.is_empty() && order_by.is_empty()).then_some(()))?;
        let mut sources = Sources::default();
        let name = self.only_target(table, &mut sources)?;
        match from {
            None => {}
            Some(UpdateTableFromKind::AfterSet(from)) => self.from(from, &mut sources)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err(Refused::Construct),
        }
        self.assignments(name, assignments)?;
        selection.iter().try_for_each(|condition| self.expression(condition))?;
        returning.iter().try_for_each(|items| self.items(items))?;
        sources.close(selection.as_ref(), self.guard.dialect)
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Result<(), Refused> {
        let Delete {
            delete_token: _,
            optimizer_hints,
            tables,
            from: FromTable::WithFromKeyword(from),
            using,
            selection,
            returning,
            output: None,
            order_by,
            limit: None,
        } = delete
        else {
            return Err(Refused::Construct);
        };
        Self::admit((optimizer_hints.is_empty() && tables.is_empty() && order_by.is_empty()).then_some(()))?;
        let [table] = from.as_slice() else { return Err(Refused::Construct) };
        let mut sources = Sources::default();
        self.only_target(table, &mut sources)?;
        if let Some(using) = using {
            self.from(using, &mut sources)?;
        }
        selection.iter().try_for_each(|condition| self.expression(condition))?;
        returning.iter().try_for_each(|items| self.items(items))?;
        sources.close(selection.as_ref(), self.guard.dialect)
    }

    /// The one table that a change is aimed at.
    fn only_target<'t>(
        &mut self,
        table: &'t TableWithJoins,
        sources: &mut Sources<'g>,
    ) -> Result<&'t ObjectName, Refused> {
        let TableWithJoins { relation, joins } = table;
        let TableFactor::Table { name, alias, .. } = relation else { return Err(Refused::Construct) };
        Self::admit(joins.is_empty().then_some(()))?;
        // For the parts of a table that are not its name.
        self.from(std::slice::from_ref(table), &mut Sources::default())?;
        self.target(name, alias.as_ref(), sources)?;
        Ok(name)
    }

    /// A row never changes its tenant.
    fn assignments(&mut self, table: &ObjectName, assignments: &[Assignment]) -> Result<(), Refused> {
        for Assignment { target, value } in assignments {
            let columns = match target {
                AssignmentTarget::ColumnName(column) => std::slice::from_ref(column),
                AssignmentTarget::Tuple(columns) => columns.as_slice(),
            };
            for column in columns {
                if self.is_tenant_column(table, column)? {
                    return Err(Refused::TenantColumn);
                }
            }
            self.expression(value)?;
        }
        Ok(())
    }

    /// Whether a column is the tenant's, whatever its case and qualifier.
    fn is_tenant_column(&self, table: &ObjectName, column: &ObjectName) -> Result<bool, Refused> {
        let table = self.fold(names::last(table)?.0)?.to_ascii_lowercase();
        let column = self.fold(names::last(column)?.0)?;
        Ok(self.guard.protected.get(&table).is_some_and(|tenant_column| tenant_column.eq_ignore_ascii_case(&column)))
    }
}

/// Whether every row that is inserted has the tenant's parameter in one place.
fn gives_tenant(source: &SetExpr, at: usize, width: usize, dialect: Dialect) -> bool {
    match source {
        SetExpr::Values(values) => values.rows.iter().all(|row| {
            row.content.len() == width && row.content.get(at).is_some_and(|value| is_tenant(value, dialect))
        }),
        SetExpr::Select(select) => {
            let has_wildcard = select
                .projection
                .iter()
                .any(|item| !matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
            let given = match select.projection.get(at) {
                Some(SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, alias: _ }) => value,
                _ => return false,
            };
            !has_wildcard && select.projection.len() == width && is_tenant(given, dialect)
        }
        SetExpr::Query(query) => {
            let Query { body, .. } = query.as_ref();
            gives_tenant(body, at, width, dialect)
        }
        SetExpr::SetOperation { left, right, .. } => {
            gives_tenant(left, at, width, dialect) && gives_tenant(right, at, width, dialect)
        }
        _ => false,
    }
}
