//! Whether an expression of a policy binds a row to a tenant.
//!
//! This reads the few forms that policies take and no others. It errs on one side: an expression that it cannot read is
//! [`Reach::Unclear`], which never passes.

use super::token::{Token, tokens};

/// How far an expression reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only rows whose tenant column equals a value that does not depend on the row.
    Bound,
    /// Rows of any tenant: the expression is `true`, or does not look at the tenant column.
    Open,
    /// It looks at the tenant column in a way that is not known here.
    Unclear,
}

/// Reads an expression as `pg_get_expr` prints it for a policy on `table`.
pub(super) fn reach(text: &str, table: &str, tenant_column: &str) -> Reach {
    Reader { table, tenant_column }.reach(&tokens(text))
}

#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    table: &'a str,
    tenant_column: &'a str,
}

impl Reader<'_> {
    /// `OR` is bound if all its parts are; `AND` if any is.
    fn reach(self, tokens: &[Token]) -> Reach {
        let tokens = unwrapped(tokens);
        if let Some(parts) = split(tokens, "OR") {
            let reaches: Vec<Reach> = parts.into_iter().map(|part| self.reach(part)).collect();
            return worst_of_any(&reaches);
        }
        if let Some(parts) = split(tokens, "AND") {
            let reaches: Vec<Reach> = parts.into_iter().map(|part| self.reach(part)).collect();
            return if reaches.contains(&Reach::Bound) { Reach::Bound } else { best_of_none_bound(&reaches) };
        }
        self.leaf(tokens)
    }

    fn leaf(self, tokens: &[Token]) -> Reach {
        if matches!(tokens, [word] if word.is_keyword("false")) || self.is_tenant_comparison(tokens) {
            return Reach::Bound;
        }
        // The table's name stands before a column in a sub-select, and for the whole row.
        let looks = tokens.iter().any(|token| token.names(self.tenant_column) || token.names(self.table));
        if looks { Reach::Unclear } else { Reach::Open }
    }

    /// `tenant = value` or `value = tenant`, with nothing else at the outermost level.
    fn is_tenant_comparison(self, tokens: &[Token]) -> bool {
        let mut operators = outermost(tokens).filter(|(_, token)| matches!(token, Token::Operator(_)));
        let (Some((at, Token::Operator(operator))), None) = (operators.next(), operators.next()) else {
            return false;
        };
        let (Some(left), Some(right)) = (tokens.get(..at), tokens.get(at + 1..)) else {
            return false;
        };
        operator == "="
            && ((self.is_tenant(left) && self.is_independent(right))
                || (self.is_independent(left) && self.is_tenant(right)))
    }

    /// The tenant column, with or without a cast that keeps different values different.
    fn is_tenant(self, tokens: &[Token]) -> bool {
        let (value, cast) = at_cast(tokens);
        let keeps = match cast {
            [] => true,
            [Token::Cast, word] => {
                ["text", "uuid", "bigint", "integer", "numeric"].iter().any(|name| word.is_keyword(name))
            }
            [Token::Cast, first, second] => first.is_keyword("character") && second.is_keyword("varying"),
            _ => false,
        };
        keeps && matches!(unwrapped(value), [column] if column.names(self.tenant_column))
    }

    /// A value that is the same for every row: a sub-select that names no column of the table, or calls on settings and literals.
    fn is_independent(self, tokens: &[Token]) -> bool {
        let tokens = unwrapped(at_cast(tokens).0);
        let [first, ..] = tokens else {
            return false;
        };
        if first.is_keyword("SELECT") {
            // Inside a sub-select PostgreSQL prints a column of the table with the table's name before it.
            return !tokens.windows(2).any(|pair| matches!(pair, [name, Token::Mark('.')] if name.names(self.table)));
        }
        let mut calls = false;
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            let cast = at > 0 && tokens.get(at - 1) == Some(&Token::Cast);
            match token {
                Token::Word { .. }
                    if ["CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"].iter().any(|word| token.is_keyword(word)) =>
                {
                    calls = true;
                }
                Token::Word { .. }
                    if ["ANY", "ALL", "SOME", "SELECT", "CASE"].iter().any(|word| token.is_keyword(word)) =>
                {
                    return false;
                }
                Token::Word { .. } if next == Some(&Token::Open) => calls |= !cast,
                Token::Word { .. } if cast || next == Some(&Token::Mark('.')) => {}
                Token::Word { .. } if ["true", "false", "NULL"].iter().any(|word| token.is_keyword(word)) => {}
                // Any other word may be a column.
                Token::Word { .. } | Token::Operator(_) => return false,
                Token::Literal | Token::Cast | Token::Open | Token::Close | Token::Mark(_) => {}
            }
        }
        calls
    }
}

/// The tokens without the parentheses that enclose all of them.
fn unwrapped(mut tokens: &[Token]) -> &[Token] {
    while let [Token::Open, inner @ .., Token::Close] = tokens
        && closes_at_end(tokens)
    {
        tokens = inner;
    }
    tokens
}

fn closes_at_end(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1 == tokens.len();
        }
    }
    false
}

/// The tokens outside of all parentheses, with their places.
fn outermost(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}

/// The parts between an outermost keyword, if it occurs.
fn split<'a>(tokens: &'a [Token], keyword: &str) -> Option<Vec<&'a [Token]>> {
    let places: Vec<usize> =
        outermost(tokens).filter(|(_, token)| token.is_keyword(keyword)).map(|(at, _)| at).collect();
    let mut parts = vec![];
    let mut start = 0;
    for place in &places {
        parts.push(tokens.get(start..*place)?);
        start = place + 1;
    }
    parts.push(tokens.get(start..)?);
    (!places.is_empty()).then_some(parts)
}

/// The tokens before and from an outermost cast such as `::uuid`.
fn at_cast(tokens: &[Token]) -> (&[Token], &[Token]) {
    let cast = outermost(tokens).find(|(_, token)| **token == Token::Cast);
    cast.and_then(|(at, _)| tokens.split_at_checked(at)).unwrap_or((tokens, &[]))
}

fn worst_of_any(reaches: &[Reach]) -> Reach {
    if reaches.contains(&Reach::Open) {
        Reach::Open
    } else if reaches.contains(&Reach::Unclear) {
        Reach::Unclear
    } else {
        Reach::Bound
    }
}

fn best_of_none_bound(reaches: &[Reach]) -> Reach {
    if reaches.contains(&Reach::Unclear) { Reach::Unclear } else { Reach::Open }
}
