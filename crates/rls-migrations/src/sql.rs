//! SQL text put together from literals of the program and quoted names, and the one place that runs it.
//!
//! A value of type [`Sql`] comes from the macro [`sql!`](crate::sql::sql), whose template is a literal and whose arguments are
//! [`Fragment`]s, or from PostgreSQL's own rendering of an object ([`Sql::from_catalogue`]).

use std::fmt;
use std::future::poll_fn;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::ident::{Ident, Literal};

/// A piece of SQL that cannot break out of its place: sealed to quoted names, quoted strings and other SQL.
pub(crate) trait Fragment: fmt::Display {}

impl Fragment for Ident {}
impl Fragment for Literal {}
impl Fragment for Sql {}
impl<T: Fragment> Fragment for &T {}

/// SQL text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sql(String);

/// `sql!("ALTER TABLE {} ..", table)`: the template is a literal, each argument a [`Fragment`]. `concat!` keeps variables
/// from being captured by name, which would not be checked. A block, so that the arguments end with it and not at an `.await` behind
/// it, where they would make the future neither `Send` nor `Sync`.
macro_rules! sql {
    ($template:literal $(, $name:ident = $argument:expr)+ $(,)?) => {{
        $crate::sql::Sql::assemble(format_args!(concat!($template) $(, $name = $crate::sql::fragment(&$argument))+))
    }};
    ($template:literal $(, $argument:expr)* $(,)?) => {{
        $crate::sql::Sql::assemble(format_args!(concat!($template) $(, $crate::sql::fragment(&$argument))*))
    }};
}
pub(crate) use sql;

pub(crate) fn fragment<T: Fragment>(fragment: &T) -> &T {
    fragment
}

impl Sql {
    /// Only for the macro.
    pub(crate) fn assemble(arguments: fmt::Arguments<'_>) -> Self {
        Self(arguments.to_string())
    }

    /// Text that PostgreSQL itself rendered from an object (`pg_get_expr` and its like), which is quoted already.
    pub(crate) fn from_catalogue(text: String) -> Self {
        Self(text)
    }

    /// Text of the program.
    pub(crate) fn fixed(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// The parts with a comma between them.
    pub(crate) fn list<T: Fragment>(parts: impl IntoIterator<Item = T>) -> Self {
        let parts: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
        Self(parts.join(", "))
    }

    /// The parts one after another.
    pub(crate) fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }

    /// The text as a dollar-quoted string, under a tag that does not occur in it.
    pub(crate) fn dollar_quoted(&self) -> Self {
        let mut tag = "$stockade$".to_owned();
        let mut number = 0_u32;
        while self.0.contains(&tag) {
            number += 1;
            tag = format!("$stockade_{number}$");
        }
        Self(format!("{tag}{}{tag}", self.0))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Runs one statement, without parameters and without a result.
    pub(crate) async fn run(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let text = AssertSqlSafe(self.0.as_str());
        sqlx::raw_sql(text).execute(conn).await.map(drop)
    }

    /// Runs one query without parameters.
    pub(crate) async fn fetch<T>(&self, conn: &mut PgConnection) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        sqlx::query_as(AssertSqlSafe(self.0.as_str())).persistent(false).fetch_all(conn).await
    }

    /// Runs statements and gives the one text that the last of them selects.
    pub(crate) async fn answer(&self, conn: &mut PgConnection) -> Result<String, sqlx::Error> {
        let text = AssertSqlSafe(self.0.as_str());
        sqlx::raw_sql(text).fetch_one(conn).await?.try_get(0)
    }

    /// Runs a `COPY .. TO STDOUT` and gives what it copied. One that is refused before it begins would leave sqlx 0.9.0 one message
    /// behind the server, so it has to be a query that was seen to run.
    pub(crate) async fn copy_out(&self, conn: &mut PgConnection) -> Result<String, sqlx::Error> {
        let mut copied = Vec::new();
        let mut stream = conn.copy_out_raw(&self.0).await?;
        while let Some(chunk) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            copied.extend_from_slice(&chunk?);
        }
        Ok(String::from_utf8_lossy(&copied).into_owned())
    }

    /// Begins a `COPY .. FROM STDIN` and gives up without a row.
    pub(crate) async fn copy_nothing_in(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        conn.copy_in_raw(&self.0).await?.abort("nothing to copy").await
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sql({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_inside_its_quotes() {
        let name = Ident::new("x\"; DROP TABLE y; --").unwrap();
        assert_eq!(sql!("TABLE {}", name).as_str(), "TABLE \"x\"\"; DROP TABLE y; --\"");
    }

    #[test]
    fn a_dollar_quote_uses_a_tag_that_the_text_does_not_hold() {
        let body = sql!("SELECT {}", Literal("$stockade$ $stockade_1$ $stockade_".to_owned()));
        assert_eq!(
            body.dollar_quoted().as_str(),
            "$stockade_2$SELECT '$stockade$ $stockade_1$ $stockade_'$stockade_2$"
        );
    }
}
