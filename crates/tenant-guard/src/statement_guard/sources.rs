//! The tables of one `FROM`, and which conditions bind them.

use std::ops::Range;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, TableAlias, TableFactor, TableWithJoins, Value,
};

use super::walk::Walk;
use super::{Dialect, Refused, names};

/// One relation of a `FROM`.
struct Source<'g> {
    alias: Option<String>,
    /// Its configured name and tenant column, if it is a protected table.
    table: Option<(&'g str, &'g str)>,
    bound: bool,
}

/// The relations of a `FROM`, in order. Each is visible to the conditions of its own `SELECT`, `UPDATE` or `DELETE`.
#[derive(Default)]
pub(super) struct Sources<'g>(Vec<Source<'g>>);

impl<'g> Walk<'g> {
    pub(super) fn from(&mut self, tables: &[TableWithJoins], sources: &mut Sources<'g>) -> Result<(), Refused> {
        tables.iter().try_for_each(|tables| self.joined(tables, sources))
    }

    fn joined(&mut self, tables: &TableWithJoins, sources: &mut Sources<'g>) -> Result<(), Refused> {
        let TableWithJoins { relation, joins } = tables;
        let start = sources.0.len();
        self.relation(relation, sources)?;
        for Join { relation, global, join_operator } in joins {
            let middle = sources.0.len();
            self.relation(relation, sources)?;
            let end = sources.0.len();
            // The relations whose every row in the result meets the condition.
            let (constraint, filtered) = match join_operator {
                JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (constraint, start..end),
                JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (constraint, middle..end),
                JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (constraint, start..middle),
                JoinOperator::FullOuter(constraint) | JoinOperator::CrossJoin(constraint) => (constraint, end..end),
                _ => return Err(Refused::Construct),
            };
            if *global {
                return Err(Refused::Construct);
            }
            if let JoinConstraint::On(condition) = constraint {
                self.expression(condition)?;
                sources.bind(condition, filtered, self.guard.dialect)?;
            }
        }
        Ok(())
    }

    fn relation(&mut self, relation: &TableFactor, sources: &mut Sources<'g>) -> Result<(), Refused> {
        match relation {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
            } => {
                if !with_hints.is_empty()
                    || version.is_some()
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || sample.is_some()
                    || !index_hints.is_empty()
                {
                    return Err(Refused::Construct);
                }
                match args {
                    None if *with_ordinality => Err(Refused::Construct),
                    None => {
                        let source = self.table(name, alias.as_ref())?;
                        sources.add(source)
                    }
                    Some(args) => {
                        Self::admit(args.settings.is_none().then_some(()))?;
                        self.function_name(name)?;
                        self.arguments(&args.args)?;
                        let alias = self.alias(alias.as_ref())?;
                        sources.add(Source { alias, table: None, bound: true })
                    }
                }
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample: None } => {
                self.query(subquery)?;
                let alias = self.alias(alias.as_ref())?;
                sources.add(Source { alias, table: None, bound: true })
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality: _, alias } => {
                self.function_name(name)?;
                self.arguments(args)?;
                let alias = self.alias(alias.as_ref())?;
                sources.add(Source { alias, table: None, bound: true })
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: _,
            } => {
                array_exprs.iter().try_for_each(|array| self.expression(array))?;
                let alias = self.alias(alias.as_ref())?;
                sources.add(Source { alias, table: None, bound: true })
            }
            // An alias would hide the names inside.
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.deeper(|walk| walk.joined(table_with_joins, sources))
            }
            _ => Err(Refused::Construct),
        }
    }

    fn table(&self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<Source<'g>, Refused> {
        let (name, alone) = names::last(name)?;
        let stored = self.fold(name)?;
        let visible = self.alias(alias)?.unwrap_or_else(|| stored.clone());
        let source = |table| Source { alias: Some(visible), table, bound: table.is_none() };
        if let Some((table, column)) = self.guard.protected.get_key_value(&stored.to_ascii_lowercase()) {
            // `loads AS l (a, tenant_id)` gives another column the name.
            Self::admit(alias.is_none_or(|alias| alias.columns.is_empty()).then_some(()))?;
            return Ok(source(Some((table.as_str(), column.as_str()))));
        }
        let is_known = alone && (self.queries.contains(&stored) || self.guard.shared.contains(&stored));
        if is_known { Ok(source(None)) } else { Err(Refused::UnknownTable) }
    }

    pub(super) fn alias(&self, alias: Option<&TableAlias>) -> Result<Option<String>, Refused> {
        let Some(TableAlias { explicit: _, name, columns: _, at }) = alias else { return Ok(None) };
        Self::admit(at.is_none().then_some(()))?;
        self.fold(name).map(Some)
    }

    /// The target of a change: a protected table, alone.
    pub(super) fn target(
        &self,
        name: &ObjectName,
        alias: Option<&TableAlias>,
        sources: &mut Sources<'g>,
    ) -> Result<(), Refused> {
        let target = self.table(name, alias)?;
        if target.table.is_none() {
            return Err(Refused::SharedWrite);
        }
        sources.add(target)
    }

    fn arguments(&mut self, arguments: &[FunctionArg]) -> Result<(), Refused> {
        arguments.iter().try_for_each(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => self.expression(value),
            _ => Err(Refused::Construct),
        })
    }
}

impl<'g> Sources<'g> {
    fn add(&mut self, source: Source<'g>) -> Result<(), Refused> {
        // Of two with one name it could not be said which one a condition means.
        if source.alias.is_some() && self.0.iter().any(|other| other.alias == source.alias) {
            return Err(Refused::Construct);
        }
        self.0.push(source);
        Ok(())
    }

    /// Adds the row that `ON CONFLICT` would have inserted.
    pub(super) fn excluded(&mut self) -> Result<(), Refused> {
        self.add(Source { alias: Some("excluded".to_owned()), table: None, bound: true })
    }

    /// Binds what a `WHERE` binds, and refuses if a protected table is left.
    pub(super) fn close(mut self, selection: Option<&Expr>, dialect: Dialect) -> Result<(), Refused> {
        if let Some(condition) = selection {
            self.bind(condition, 0..self.0.len(), dialect)?;
            if let [only] = self.0.as_mut_slice() {
                // Without a qualifier the column is that of the only relation, which has it.
                for conjunct in conjuncts(condition) {
                    if let Some(Expr::Identifier(column)) = compared_with_tenant(conjunct, dialect) {
                        only.bind(column, dialect)?;
                    }
                }
            }
        }
        match self.0.iter().find(|source| !source.bound).and_then(|source| source.table) {
            Some((table, _)) => Err(Refused::Unbound { table: table.to_owned() }),
            None => Ok(()),
        }
    }

    /// Binds the relations of a range that a condition names.
    pub(super) fn bind(&mut self, condition: &Expr, range: Range<usize>, dialect: Dialect) -> Result<(), Refused> {
        for conjunct in conjuncts(condition) {
            let Some(Expr::CompoundIdentifier(parts)) = compared_with_tenant(conjunct, dialect) else { continue };
            let [alias, column] = parts.as_slice() else { continue };
            let alias = Some(names::fold(alias, dialect)?);
            let named =
                self.0.get_mut(range.clone()).unwrap_or_default().iter_mut().find(|source| source.alias == alias);
            if let Some(source) = named {
                source.bind(column, dialect)?;
            }
        }
        Ok(())
    }
}

impl Source<'_> {
    fn bind(&mut self, column: &Ident, dialect: Dialect) -> Result<(), Refused> {
        let column = names::fold(column, dialect)?;
        if let Some((_, tenant_column)) = self.table {
            self.bound |= match dialect {
                Dialect::PostgreSql => column == tenant_column,
                Dialect::Sqlite => column.eq_ignore_ascii_case(tenant_column),
            };
        }
        Ok(())
    }
}

/// The conditions that must all hold.
fn conjuncts(condition: &Expr) -> impl Iterator<Item = &Expr> {
    let mut open = vec![condition];
    std::iter::from_fn(move || {
        loop {
            match open.pop()? {
                Expr::Nested(inner) => open.push(inner),
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => open.extend([left.as_ref(), right.as_ref()]),
                other => return Some(other),
            }
        }
    })
}

/// The other side of `.. = $1` or `$1 = ..`.
fn compared_with_tenant(condition: &Expr, dialect: Dialect) -> Option<&Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if is_tenant(right, dialect) => Some(left),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } if is_tenant(left, dialect) => Some(right),
        _ => None,
    }
}

/// Whether an expression is the tenant's parameter, in PostgreSQL also as `$1::uuid`.
pub(super) fn is_tenant(value: &Expr, dialect: Dialect) -> bool {
    match value {
        Expr::Value(value) => matches!(&value.value, Value::Placeholder(name) if name == dialect.tenant_parameter()),
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type: DataType::Uuid, format: None } => {
            dialect == Dialect::PostgreSql && matches!(expr.as_ref(), Expr::Value(_)) && is_tenant(expr, dialect)
        }
        _ => false,
    }
}
