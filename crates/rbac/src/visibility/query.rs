//! A filter as a condition of a query.

use std::fmt;

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::arm::Through;
use super::filter::RowFilter;
use super::quoting::Name;
use crate::ident::{OfficeId, TeamId};
use crate::share::ShareLevel;

/// A column of the table under its alias.
struct Column(&'static str, &'static str);

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Name(self.0), Name(self.1))
    }
}

impl RowFilter<'_> {
    /// Appends the filter in parentheses, for a table that the query calls `alias`. Every value is a bound parameter; a filter that
    /// lets nothing through is `FALSE`, never nothing.
    ///
    /// ```
    /// # use stockade_rbac::{Policy, Rows, Subject};
    /// # stockade_rbac::permissions! { pub enum Perm { LoadView = "load.view": Read, up to Tenant; } }
    /// static LOADS: Rows = Rows::new("freight", "loads", "tenant_id").owner("owner_id").team("team_id");
    ///
    /// # let policy = Policy::<Perm>::compile("[[role]]\nname = \"dispatcher\"\ngrants.team = [\"load.view\"]").unwrap();
    /// # let subject = Subject::new(uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    /// # let actor = policy.actor(subject).role("dispatcher").unwrap().build();
    /// let mut query = sqlx::QueryBuilder::new("SELECT l.id FROM freight.loads l WHERE ");
    /// actor.rows(Perm::LoadView, &LOADS).push_to(&mut query, "l");
    /// query.push(" ORDER BY l.id LIMIT 50");
    /// # assert!(query.sql().as_str().contains(r#"("l"."tenant_id" = $1 AND ("l"."owner_id" = $2"#), "{}", query.sql().as_str());
    /// ```
    pub fn push_to(&self, query: &mut QueryBuilder<Postgres>, alias: &'static str) {
        let mut arms = self.arms().peekable();
        let Some(first) = arms.peek() else {
            query.push("FALSE");
            return;
        };
        // The tenant stands outside the alternatives: inside each of them the planner takes the primary key for a page.
        query.push("(").push(Column(alias, self.rows.tenant)).push(" = ").push_bind(Uuid::from(self.tenant));
        if !matches!(first.through, Through::Tenant) {
            query.push(" AND (");
            for (place, arm) in arms.enumerate() {
                query.push(if place == 0 { "" } else { " OR " });
                self.push_arm(query, alias, arm.through);
            }
            query.push(")");
        }
        if let (Some(makers), Some(column)) = (self.makers, self.rows.maker) {
            let makers: Vec<_> = makers.iter().copied().map(Uuid::from).chain([Uuid::nil()]).collect();
            query.push(" AND ").push(Column(alias, column)).push(" <> ALL (").push_bind(makers).push(")");
        }
        query.push(")");
    }

    fn push_arm(&self, query: &mut QueryBuilder<Postgres>, alias: &'static str, through: Through) {
        let user = self.subject.user();
        let user = user.is_known().then(|| Uuid::from(user));
        let teams = || self.subject.teams().iter().copied().filter(|team| team.is_known()).map(TeamId::as_uuid);
        let offices =
            || self.subject.offices().iter().copied().filter(|office| office.is_known()).map(OfficeId::as_uuid);
        match through {
            Through::Tenant => drop(query.push("TRUE")),
            Through::Owner(column) => drop(query.push(Column(alias, column)).push(" = ").push_bind(user)),
            Through::Team(column) => push_any(query, Column(alias, column), teams().collect()),
            Through::Office(column) => push_any(query, Column(alias, column), offices().collect()),
            Through::Share(shared) => {
                query
                    .push(Column(alias, shared.key))
                    .push(" = ANY (ARRAY(SELECT s.row_id FROM stockade.rbac_share s WHERE s.tenant_id = ");
                query.push_bind(Uuid::from(self.tenant)).push(" AND s.kind = ").push_bind(shared.kind);
                query.push(" AND s.level IN ('edit', ").push_bind(ShareLevel::needed_by(self.kind).name()).push(")");
                query.push(" AND (s.expires_at IS NULL OR s.expires_at > now()) AND (s.user_id = ").push_bind(user);
                push_any(query.push(" OR "), "s.team_id", teams().collect());
                push_any(query.push(" OR "), "s.office_id", offices().collect());
                query.push(")))");
            }
        }
    }
}

fn push_any(query: &mut QueryBuilder<Postgres>, column: impl fmt::Display, ids: Vec<Uuid>) {
    query.push(column).push(" = ANY (").push_bind(ids).push(")");
}
