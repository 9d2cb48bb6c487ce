//! Queries: every part is named, so that a part that a newer parser adds does not compile until somebody has judged it.

use sqlparser::ast::{
    Cte, Distinct, Fetch, GroupByExpr, LimitClause, NamedWindowDefinition, NamedWindowExpr, OrderBy, OrderByExpr,
    OrderByKind, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    WildcardAdditionalOptions, With,
};

use super::Refused;
use super::sources::Sources;
use super::walk::Walk;

impl Walk<'_> {
    pub(super) fn query(&mut self, query: &Query) -> Result<(), Refused> {
        self.deeper(|walk| {
            let outer = walk.queries.len();
            let result = walk.query_in_scope(query);
            walk.queries.truncate(outer);
            result
        })
    }

    fn query_in_scope(&mut self, query: &Query) -> Result<(), Refused> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks: _,
            for_clause: None,
            settings: None,
            format_clause: None,
            pipe_operators,
        } = query
        else {
            return Err(Refused::Construct);
        };
        Self::admit(pipe_operators.is_empty().then_some(()))?;
        if let Some(with) = with {
            self.with(with)?;
        }
        self.body(body)?;
        if let Some(OrderBy { kind, interpolate }) = order_by {
            let (OrderByKind::Expressions(order), None) = (kind, interpolate) else { return Err(Refused::Construct) };
            self.order(order)?;
        }
        match limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                let offset = offset.as_ref().map(|offset| &offset.value);
                limit.iter().chain(offset).chain(limit_by).try_for_each(|number| self.expression(number))?;
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.expression(offset)?;
                self.expression(limit)?;
            }
        }
        match fetch {
            Some(Fetch { with_ties: _, percent: _, quantity: Some(quantity) }) => self.expression(quantity),
            _ => Ok(()),
        }
    }

    fn with(&mut self, with: &With) -> Result<(), Refused> {
        let With { with_token: _, recursive, cte_tables } = with;
        for Cte { alias, query, from, materialized: _, closing_paren_token: _ } in cte_tables {
            Self::admit((from.is_none() && alias.at.is_none()).then_some(()))?;
            let name = self.fold(&alias.name)?;
            let lower = name.to_ascii_lowercase();
            // A query that takes a table's name would decide what the rest of the statement reads.
            if self.guard.protected.contains_key(&lower)
                || self.guard.shared.contains(&lower)
                || self.queries.contains(&name)
            {
                return Err(Refused::UnknownTable);
            }
            if *recursive {
                self.queries.push(name);
                self.query(query)?;
            } else {
                // Without `RECURSIVE`, its own name inside it is a table's.
                self.query(query)?;
                self.queries.push(name);
            }
        }
        Ok(())
    }

    fn body(&mut self, body: &SetExpr) -> Result<(), Refused> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, op: _, set_quantifier: _, right } => self.deeper(|walk| {
                walk.body(left)?;
                walk.body(right)
            }),
            SetExpr::Values(values) => {
                values.rows.iter().flat_map(|row| &row.content).try_for_each(|value| self.expression(value))
            }
            // A change inside `WITH` is a statement of its own, and `TABLE` has no condition.
            _ => Err(Refused::Construct),
        }
    }

    fn select(&mut self, select: &Select) -> Result<(), Refused> {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers: None,
            top: None,
            top_before_distinct: false,
            projection,
            exclude: None,
            into: None,
            from,
            lateral_views,
            prewhere: None,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify: None,
            window_before_qualify: _,
            value_table_mode: None,
            flavor: SelectFlavor::Standard,
        } = select
        else {
            return Err(Refused::Construct);
        };
        let has_foreign_parts = !optimizer_hints.is_empty()
            || !lateral_views.is_empty()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty();
        Self::admit((!has_foreign_parts).then_some(()))?;
        if let Some(Distinct::On(on)) = distinct {
            on.iter().try_for_each(|value| self.expression(value))?;
        }
        let mut sources = Sources::default();
        self.from(from, &mut sources)?;
        self.items(projection)?;
        match group_by {
            GroupByExpr::Expressions(values, modifiers) if modifiers.is_empty() => {
                values.iter().try_for_each(|value| self.expression(value))?;
            }
            _ => return Err(Refused::Construct),
        }
        selection.iter().chain(having).try_for_each(|condition| self.expression(condition))?;
        for NamedWindowDefinition(_, window) in named_window {
            let NamedWindowExpr::WindowSpec(window) = window else { return Err(Refused::Construct) };
            self.window(window)?;
        }
        sources.close(selection.as_ref(), self.guard.dialect)
    }

    /// What a query or a `RETURNING` gives back.
    pub(super) fn items(&mut self, items: &[SelectItem]) -> Result<(), Refused> {
        items.iter().try_for_each(|item| match item {
            SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, alias: _ } => {
                self.expression(value)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options)
            | SelectItem::Wildcard(options) => Self::admit(is_plain(options).then_some(())),
            _ => Err(Refused::Construct),
        })
    }

    pub(super) fn order(&mut self, order: &[OrderByExpr]) -> Result<(), Refused> {
        order.iter().try_for_each(|OrderByExpr { expr, options: _, with_fill }| {
            Self::admit(with_fill.is_none().then_some(()))?;
            self.expression(expr)
        })
    }
}

const fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    matches!(
        options,
        WildcardAdditionalOptions {
            wildcard_token: _,
            opt_ilike: None,
            opt_exclude: None,
            opt_except: None,
            opt_replace: None,
            opt_rename: None,
            opt_alias: None,
        }
    )
}
