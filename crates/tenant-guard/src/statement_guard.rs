//! A check of statements that people did not write by hand: report builders, admin consoles, and databases without row-level security.

mod changes;
mod expressions;
mod functions;
mod names;
mod plain;
mod queries;
mod sources;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::Statement;
use sqlparser::dialect::{self, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Tokenizer;

use walk::Walk;

/// Admits a statement only if every protected table in it is bound to one tenant.
///
/// A table is bound if its tenant column is compared by `=` with the tenant's parameter, in a condition that every row of it must meet:
/// a conjunct of the `WHERE` of the same `SELECT`, `UPDATE` or `DELETE`, or of a `JOIN` condition that filters it. The tenant's parameter is
/// the first one, `$1` in PostgreSQL and `?1` in SQLite, so the caller binds the tenant there.
///
/// What is not known to be harmless is refused: any other statement, table, function, type or clause. **Defence in depth, not the
/// boundary**: it sees text, not the database, so it cannot know a view, a rule, a trigger or a function body behind a name.
///
/// ```
/// use stockade_tenant_guard::{Dialect, Refused, StatementGuard};
///
/// let guard = StatementGuard::new(Dialect::PostgreSql).protect("loads", "tenant_id").share("countries");
/// assert!(guard.check("SELECT count(*) FROM loads l JOIN countries c ON c.id = l.country WHERE l.tenant_id = $1").is_ok());
/// assert_eq!(
///     guard.check("SELECT count(*) FROM loads WHERE tenant_id = $1 OR true"),
///     Err(Refused::Unbound { table: "loads".to_owned() }),
/// );
/// ```
#[derive(Clone, Debug)]
pub struct StatementGuard {
    dialect: Dialect,
    /// The tenant column of each protected table, by the table's name in lower case.
    protected: BTreeMap<String, String>,
    shared: BTreeSet<String>,
    functions: BTreeSet<String>,
}

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL 15 and later, with `standard_conforming_strings` on, as it is by default.
    PostgreSql,
    /// SQLite 3.
    Sqlite,
}

/// A statement that the guard admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<'s> {
    sql: &'s str,
    access: Access,
}

/// What a statement does to tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads.
    Read,
    /// It inserts, updates or deletes.
    Write,
}

/// Why a statement was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It contains a comment, a backslash, a semicolon, a quote that two lexers could read differently, or a control character.
    #[error("statement refused: only plain text without comments, escapes and semicolons is read")]
    NotPlain,
    /// It is too long or too deep.
    #[error("statement refused: it is too large")]
    TooLarge,
    /// It is not one statement that the parser knows.
    #[error("statement refused: it is not one statement that could be parsed")]
    Unparsed,
    /// It is no `SELECT`, `VALUES`, `INSERT`, `UPDATE` or `DELETE`.
    #[error("statement refused: only queries and simple data changes are admitted")]
    Kind,
    /// It has a clause, operator, literal or type that is not known to be harmless.
    #[error("statement refused: it has a clause, operator, literal or type that is not admitted")]
    Construct,
    /// It names a table that is neither protected nor shared, or hides one behind another's name.
    #[error("statement refused: it names a table that is neither protected nor shared")]
    UnknownTable,
    /// It calls a function that was not allowed.
    #[error("statement refused: it calls a function that is not allowed")]
    Function,
    /// It writes in a scope that only reads.
    #[error("statement refused: the scope only reads")]
    ReadOnly,
    /// It changes a table that is not protected.
    #[error("statement refused: a shared table is only read")]
    SharedWrite,
    /// It sets the tenant column to something else than the tenant's parameter, or changes it.
    #[error("statement refused: the tenant column is only ever the tenant's parameter")]
    TenantColumn,
    /// A protected table is not bound to the tenant.
    #[error("statement refused: `{table}` is not bound to the tenant's parameter")]
    Unbound {
        /// The table, as it was [protected](StatementGuard::protect).
        table: String,
    },
}

/// More is not what people build reports from. The first bounds the time, the second the depth of what is parsed, and so the stack.
const MAX_BYTES: usize = 64 * 1024;
const MAX_TOKENS: usize = 4_000;

impl StatementGuard {
    /// A guard that knows no table, and so admits no statement with one.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect, protected: BTreeMap::new(), shared: BTreeSet::new(), functions: BTreeSet::new() }
    }

    /// A table, in whatever schema, whose rows belong to the tenant in this column. Names as the database stores them.
    #[must_use]
    pub fn protect(mut self, table: &str, tenant_column: &str) -> Self {
        self.protected.insert(table.to_ascii_lowercase(), tenant_column.to_owned());
        self
    }

    /// A table that every tenant may read and none may write. Its name is used without a schema.
    #[must_use]
    pub fn share(mut self, table: &str) -> Self {
        self.shared.insert(table.to_ascii_lowercase());
        self
    }

    /// A function that may be called, beside the usual ones on numbers, text, time and sets of rows. Never one that runs SQL or reads what
    /// it is not given (`query_to_xml`, `dblink`, `current_setting`).
    #[must_use]
    pub fn allow_function(mut self, name: &str) -> Self {
        self.functions.insert(name.to_ascii_lowercase());
        self
    }

    /// Whose SQL it reads.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn reading(self, dialect: Dialect) -> Self {
        Self { dialect, ..self }
    }

    /// Admits or refuses a statement.
    ///
    /// # Errors
    ///
    /// [`Refused`] with the first reason found.
    pub fn check<'s>(&self, sql: &'s str) -> Result<Checked<'s>, Refused> {
        if sql.len() > MAX_BYTES {
            return Err(Refused::TooLarge);
        }
        plain::check(sql, self.dialect)?;
        let mut walk = Walk::new(self);
        let access = match parse(sql, self.dialect)? {
            Statement::Query(query) => walk.query(&query).map(|()| Access::Read),
            Statement::Insert(insert) => walk.insert(&insert).map(|()| Access::Write),
            Statement::Update(update) => walk.update(&update).map(|()| Access::Write),
            Statement::Delete(delete) => walk.delete(&delete).map(|()| Access::Write),
            _ => Err(Refused::Kind),
        }?;
        Ok(Checked { sql, access })
    }
}

impl Refused {
    /// The refusal that an error of a statement carries, if the guard was what refused it.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Option<&Self> {
        match error {
            sqlx::Error::Configuration(source) => source.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Refused> for sqlx::Error {
    fn from(refused: Refused) -> Self {
        Self::Configuration(Box::new(refused))
    }
}

impl<'s> Checked<'s> {
    /// The statement, unchanged.
    #[must_use]
    pub const fn sql(&self) -> &'s str {
        self.sql
    }

    /// Whether it reads or writes.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
}

impl Dialect {
    /// The placeholder that holds the tenant.
    const fn tenant_parameter(self) -> &'static str {
        match self {
            Self::PostgreSql => "$1",
            Self::Sqlite => "?1",
        }
    }

    const fn grammar(self) -> &'static dyn dialect::Dialect {
        match self {
            Self::PostgreSql => &PostgreSqlDialect {},
            Self::Sqlite => &SQLiteDialect {},
        }
    }
}

fn parse(sql: &str, dialect: Dialect) -> Result<Statement, Refused> {
    let tokens = Tokenizer::new(dialect.grammar(), sql).tokenize_with_location().map_err(|_| Refused::Unparsed)?;
    if tokens.len() > MAX_TOKENS {
        return Err(Refused::TooLarge);
    }
    let mut parser = Parser::new(dialect.grammar()).with_tokens_with_locations(tokens);
    let mut statements = parser.parse_statements().map_err(|_| Refused::Unparsed)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(Refused::Unparsed),
    }
}
