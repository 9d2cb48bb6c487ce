//! The roles that the declaration names, and `stockade_owner`.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::model::Model;

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) login: bool,
    pub(crate) superuser: bool,
    pub(crate) bypass: bool,
    pub(crate) create_role: bool,
    pub(crate) create_db: bool,
    pub(crate) replication: bool,
    /// The roles that it is a direct member of.
    pub(crate) member_of: Vec<String>,
    /// Roles with rights over rows that it can act as, directly or not: the declared owner, `stockade_owner`, superusers
    /// and roles with BYPASSRLS.
    pub(crate) can_become: Vec<String>,
    /// Whether the connected role can act as this one without `SET ROLE`.
    pub(crate) usable: bool,
}

type Row = (String, bool, bool, bool, bool, bool, bool, Vec<String>, Vec<String>, bool);

pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<BTreeMap<String, Role>, sqlx::Error> {
    let names = [model.owner.as_str(), model.app.as_str(), model.reader.as_str(), super::shared::OWNER];
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT r.rolname::text, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
                ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
                       WHERE m.member = r.oid ORDER BY 1),
                ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
                       WHERE o.oid <> r.oid AND NOT r.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER')
                         AND (o.rolname = $2 OR o.rolname = $3 OR o.rolsuper OR o.rolbypassrls) ORDER BY 1),
                pg_has_role(current_user, r.oid, 'USAGE')
           FROM pg_catalog.pg_roles r
          WHERE r.rolname::text = ANY ($1)",
    )
    .bind(names.map(str::to_owned).to_vec())
    .bind(model.owner.as_str())
    .bind(super::shared::OWNER)
    .fetch_all(conn)
    .await?;
    let role =
        |(name, login, superuser, bypass, create_role, create_db, replication, member_of, can_become, usable)| {
            let role =
                Role { login, superuser, bypass, create_role, create_db, replication, member_of, can_become, usable };
            (name, role)
        };
    Ok(rows.into_iter().map(role).collect())
}
