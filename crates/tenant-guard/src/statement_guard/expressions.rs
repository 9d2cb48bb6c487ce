//! Expressions, which may hold queries, and functions, which may hold anything.

use sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArguments, ObjectName, UnaryOperator, Value, WindowFrameBound,
    WindowSpec, WindowType,
};

use super::walk::Walk;
use super::{Refused, functions, names};

impl Walk<'_> {
    pub(super) fn expression(&mut self, expression: &Expr) -> Result<(), Refused> {
        self.deeper(|walk| walk.chain(expression))
    }

    /// Goes down the left of a chain of operators in a loop: `a AND b AND ..` may be long.
    fn chain(&mut self, mut expression: &Expr) -> Result<(), Refused> {
        while let Expr::BinaryOp { left, op, right } = expression {
            Self::admit(is_harmless(op).then_some(()))?;
            self.expression(right)?;
            expression = left;
        }
        self.operand(expression)
    }

    fn expressions<'e>(&mut self, values: impl IntoIterator<Item = &'e Expr>) -> Result<(), Refused> {
        values.into_iter().try_for_each(|value| self.expression(value))
    }

    fn operand(&mut self, expression: &Expr) -> Result<(), Refused> {
        match expression {
            Expr::Identifier(name) => self.fold(name).map(drop),
            Expr::CompoundIdentifier(parts) => parts.iter().try_for_each(|part| self.fold(part).map(drop)),
            Expr::Value(value) => Self::admit(
                matches!(
                    value.value,
                    Value::Number(..)
                        | Value::SingleQuotedString(_)
                        | Value::Boolean(_)
                        | Value::Null
                        | Value::Placeholder(_)
                )
                .then_some(()),
            ),
            Expr::Nested(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Collate { expr: inner, collation: _ }
            | Expr::Extract { field: _, syntax: _, expr: inner }
            | Expr::Ceil { expr: inner, field: _ }
            | Expr::Floor { expr: inner, field: _ }
            | Expr::UnaryOp { op: UnaryOperator::Not | UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => {
                self.expression(inner)
            }
            Expr::BinaryOp { .. } => self.chain(expression),
            Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::AtTimeZone { timestamp: left, time_zone: right }
            | Expr::Position { expr: left, r#in: right }
            | Expr::AnyOp { left, compare_op: _, right, is_some: _ }
            | Expr::AllOp { left, compare_op: _, right } => self.expressions([left.as_ref(), right.as_ref()]),
            Expr::InList { expr, list, negated: _ } => {
                self.expression(expr)?;
                self.expressions(list)
            }
            Expr::InSubquery { expr, subquery, negated: _ } => {
                self.expression(expr)?;
                self.query(subquery)
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => self.query(subquery),
            Expr::Between { expr, negated: _, low, high } => {
                self.expressions([expr.as_ref(), low.as_ref(), high.as_ref()])
            }
            Expr::Like { negated: _, any: false, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any: false, expr, pattern, escape_char } => {
                self.expressions([expr.as_ref(), pattern.as_ref()].into_iter().chain(escape_char.as_deref()))
            }
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None } => {
                Self::admit(is_known_type(data_type).then_some(()))?;
                self.expression(expr)
            }
            Expr::TypedString(typed) => Self::admit(is_known_type(&typed.data_type).then_some(())),
            Expr::Interval(interval) => self.expression(&interval.value),
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => self.expressions(
                [expr.as_ref()].into_iter().chain(substring_from.as_deref()).chain(substring_for.as_deref()),
            ),
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => self.expressions(
                [expr.as_ref()].into_iter().chain(trim_what.as_deref()).chain(trim_characters.iter().flatten()),
            ),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.expressions(operand.as_deref().into_iter().chain(else_result.as_deref()))?;
                for CaseWhen { condition, result } in conditions {
                    self.expressions([condition, result])?;
                }
                Ok(())
            }
            Expr::Tuple(values) | Expr::Array(Array { elem: values, named: _ }) => self.expressions(values),
            Expr::Function(function) => self.function(function),
            _ => Err(Refused::Construct),
        }
    }

    fn function(&mut self, function: &Function) -> Result<(), Refused> {
        let Function {
            name,
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = function
        else {
            return Err(Refused::Construct);
        };
        self.function_name(name)?;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(list) => {
                for argument in &list.args {
                    match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => self.expression(value)?,
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                        _ => return Err(Refused::Construct),
                    }
                }
                for clause in &list.clauses {
                    let FunctionArgumentClause::OrderBy(order) = clause else { return Err(Refused::Construct) };
                    self.order(order)?;
                }
            }
        }
        self.order(within_group)?;
        self.expressions(filter.as_deref())?;
        match over {
            Some(WindowType::WindowSpec(window)) => self.window(window),
            Some(WindowType::NamedWindow(_)) | None => Ok(()),
        }
    }

    /// A function by its bare name: a schema in front would make it another one.
    pub(super) fn function_name(&self, name: &ObjectName) -> Result<(), Refused> {
        let (name, alone) = names::last(name)?;
        let name = self.fold(name)?;
        let is_allowed = alone && (functions::is_harmless(&name) || self.guard.functions.contains(&name));
        if is_allowed { Ok(()) } else { Err(Refused::Function) }
    }

    pub(super) fn window(&mut self, window: &WindowSpec) -> Result<(), Refused> {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = window;
        self.expressions(partition_by)?;
        self.order(order_by)?;
        let bounds = window_frame.iter().flat_map(|frame| [Some(&frame.start_bound), frame.end_bound.as_ref()]);
        for bound in bounds.flatten() {
            match bound {
                WindowFrameBound::CurrentRow => {}
                WindowFrameBound::Preceding(rows) | WindowFrameBound::Following(rows) => {
                    self.expressions(rows.as_deref())?;
                }
            }
        }
        Ok(())
    }
}

const fn is_harmless(operator: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        operator,
        Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::StringConcat
            | Op::Gt
            | Op::Lt
            | Op::GtEq
            | Op::LtEq
            | Op::Eq
            | Op::NotEq
            | Op::And
            | Op::Or
            | Op::Arrow
            | Op::LongArrow
            | Op::HashArrow
            | Op::HashLongArrow
            | Op::AtArrow
            | Op::ArrowAt
            | Op::PGRegexMatch
            | Op::PGRegexIMatch
            | Op::PGRegexNotMatch
            | Op::PGRegexNotIMatch
    )
}

/// Built-in types whose input runs nobody's code. Not `regclass`, which reads the catalog.
fn is_known_type(data_type: &DataType) -> bool {
    use DataType as Type;
    match data_type {
        Type::Array(ArrayElemTypeDef::SquareBracket(inner, _)) => is_known_type(inner),
        Type::Uuid
        | Type::Text
        | Type::Varchar(_)
        | Type::CharacterVarying(_)
        | Type::Char(_)
        | Type::Character(_)
        | Type::SmallInt(_)
        | Type::Int(_)
        | Type::Integer(_)
        | Type::BigInt(_)
        | Type::Int2(_)
        | Type::Int4(_)
        | Type::Int8(_)
        | Type::Numeric(_)
        | Type::Decimal(_)
        | Type::Real
        | Type::Float(_)
        | Type::Double(_)
        | Type::DoublePrecision
        | Type::Float4
        | Type::Float8
        | Type::Boolean
        | Type::Bool
        | Type::Date
        | Type::Time(..)
        | Type::Timestamp(..)
        | Type::Interval { .. }
        | Type::JSON
        | Type::JSONB
        | Type::Bytea
        | Type::Blob(_) => true,
        _ => false,
    }
}
