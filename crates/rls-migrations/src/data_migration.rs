//! An owner's change of rows under FORCE.

use crate::error::{Error, Name, Repr};
use crate::ident::Ident;
use crate::model::Model;
use crate::schema::Schema;
use crate::sql::{Sql, sql};

impl Schema {
    /// The text of a migration that changes rows of every tenant, for review and for a migration file.
    ///
    /// Under `FORCE ROW LEVEL SECURITY` an owner sees no rows, and PostgreSQL says `UPDATE 0` instead of failing. The text lifts FORCE
    /// from `tables`, runs `statement` and puts FORCE back: in one `DO` block, so in one transaction whatever runs it, under an
    /// `ACCESS EXCLUSIVE` lock, so that nobody else meets the tables without it. Name every tenant table that the statement reads or
    /// changes; one that is left out shows it no rows. The owner runs it (`SET ROLE`), as may a superuser. Guards hold.
    ///
    /// ```
    /// # fn main() -> Result<(), stockade_rls_migrations::Error> {
    /// use stockade_rls_migrations::{Roles, Schema, by};
    ///
    /// let schema = Schema::new("freight", Roles::for_app("freight")).tenant_table("loads", by("tenant_id"));
    /// let sql = schema.data_migration(&["loads"], "UPDATE freight.loads SET name = trim(name)")?;
    /// assert!(sql.contains("NO FORCE ROW LEVEL SECURITY"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Declaration`](crate::ErrorKind::Declaration): the declaration contradicts itself, a table is not one of a
    /// tenant, or `statement` is not a single `INSERT`, `UPDATE`, `DELETE`, `MERGE` or `WITH`.
    pub fn data_migration(&self, tables: &[&str], statement: &str) -> Result<String, Error> {
        let model = Model::resolve(self)?;
        let mut names = Vec::new();
        for table in tables {
            let entry = model.table(table).filter(|entry| entry.tenant_column().is_some());
            let entry = entry.ok_or_else(|| refusal(table, "is no declared tenant table"))?;
            names.push(model.qualified(&entry.name));
        }
        let statement = single(statement).map_err(|why| refusal("statement", why))?;
        let toggle = |force: &Sql| {
            let alter = |name| sql!("  ALTER TABLE {} {} ROW LEVEL SECURITY;\n", name, force);
            Sql::concat(names.iter().map(alter))
        };
        let body = sql!(
            "
DECLARE
  changed bigint;
BEGIN
{}  EXECUTE {};
  GET DIAGNOSTICS changed = ROW_COUNT;
{}  RAISE NOTICE '% rows', changed;
END
",
            toggle(&sql!("NO FORCE")),
            Sql::from_catalogue(statement.to_owned()).dollar_quoted(),
            toggle(&sql!("FORCE"))
        );
        let role = Ident::as_str(&model.owner).escape_debug().to_string();
        Ok(format!("-- Runs as the owner, `{role}`.\n-- lock: ACCESS EXCLUSIVE\nDO {};\n", body.dollar_quoted()))
    }
}

fn refusal(name: &str, why: &str) -> Error {
    Repr::Declaration { name: Name(name.to_owned()), why: why.to_owned() }.into()
}

/// The statement without a semicolon at its end, if it is one that changes rows and the only one. A statement that begins with one
/// of these words is no transaction control; what comes after a semicolon might be.
fn single(statement: &str) -> Result<&str, &'static str> {
    let text = statement.trim();
    let text = text.strip_suffix(';').unwrap_or(text).trim_end();
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    let known = ["INSERT", "UPDATE", "DELETE", "MERGE", "WITH"];
    if !known.iter().any(|known| known.eq_ignore_ascii_case(word)) {
        return Err("is no INSERT, UPDATE, DELETE, MERGE or WITH");
    }
    if text.contains('\0') {
        return Err("contains NUL");
    }
    // Looking for one outside quotes would need PostgreSQL's lexer, and to agree with it in every setting.
    if text.contains(';') {
        Err("has a semicolon inside: pass one statement, a `;` in a string as chr(59)")
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::single;

    #[test]
    fn only_one_statement_that_changes_rows_passes() {
        for good in [
            "UPDATE t SET a = 1",
            " delete from t ;\n",
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x;",
            "MERGE INTO t",
        ] {
            assert!(single(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ";",
            "COMMIT",
            "BEGIN; UPDATE t SET a = 1; COMMIT",
            "UPDATE t SET a = 1; COMMIT",
            "UPDATE t SET a = $$;$$",
            "-- UPDATE\nCOMMIT",
            "/* UPDATE */ COMMIT",
            "UPDATES",
            "SELECT set_config('a', 'b', false)",
            "UPDATE t SET a = '\0'",
            "TRUNCATE t",
            "ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        ] {
            assert!(single(bad).is_err(), "{bad}");
        }
    }
}
