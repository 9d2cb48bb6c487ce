//! The roles that the declaration names, `stockade_owner` and `stockade_minter`.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::context::MINTER;
use crate::ident::Ident;
use crate::model::Model;

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) login: bool,
    pub(crate) superuser: bool,
    pub(crate) bypass: bool,
    pub(crate) create_role: bool,
    pub(crate) create_db: bool,
    pub(crate) replication: bool,
    pub(crate) inherit: bool,
    /// `ALTER ROLE .. SET default_transaction_read_only = on`, in every database.
    pub(crate) read_only: bool,
    /// Whether the connected role may change its attributes and settings.
    pub(crate) alterable: bool,
    /// The roles that it is a direct member of.
    pub(crate) member_of: Vec<String>,
    /// Roles with rights over rows that it can act as, directly or not: the declared owner, `stockade_owner`, `stockade_minter`,
    /// superusers, roles with BYPASSRLS, and PostgreSQL's own that reach all data or the server's files.
    pub(crate) can_become: Vec<String>,
    /// Whether the connected role can act as this one without `SET ROLE`.
    pub(crate) usable: bool,
}

type Row = (String, bool, bool, bool, bool, bool, bool, bool, bool, bool, Vec<String>, Vec<String>, bool);

pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<BTreeMap<String, Role>, sqlx::Error> {
    let names: Vec<&str> = model.roles().map(Ident::as_str).chain([super::shared::OWNER, MINTER]).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT r.rolname::text, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,
                r.rolinherit,
                EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s
                         WHERE s.setrole = r.oid AND s.setdatabase = 0 AND 'default_transaction_read_only=on' = ANY (s.setconfig)),
                (SELECT u.rolsuper OR u.rolcreaterole AND NOT r.rolsuper
                        AND (current_setting('server_version_num')::int4 < 160000
                             OR pg_has_role(current_user, r.oid, 'MEMBER WITH ADMIN OPTION'))
                   FROM pg_catalog.pg_roles u WHERE u.rolname = current_user),
                ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles o ON o.oid = m.roleid
                       WHERE m.member = r.oid ORDER BY 1),
                ARRAY(SELECT o.rolname::text FROM pg_catalog.pg_roles o
                       WHERE o.oid <> r.oid AND NOT r.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER')
                         AND (o.rolname = ANY ($2) OR o.rolsuper OR o.rolbypassrls
                              OR o.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
                                               'pg_read_all_data', 'pg_write_all_data')) ORDER BY 1),
                pg_has_role(current_user, r.oid, 'USAGE')
           FROM pg_catalog.pg_roles r
          WHERE r.rolname::text = ANY ($1)",
    )
    .bind(names)
    .bind([model.owner.as_str(), super::shared::OWNER, MINTER].map(str::to_owned).to_vec())
    .fetch_all(conn)
    .await?;
    let roles = rows.into_iter().map(|row| {
        let (name, login, superuser, bypass, create_role, create_db, replication, inherit, read_only, ..) = row;
        let (.., alterable, member_of, can_become, usable) = row;
        let role = Role {
            login,
            superuser,
            bypass,
            create_role,
            create_db,
            replication,
            inherit,
            read_only,
            alterable,
            member_of,
            can_become,
            usable,
        };
        (name, role)
    });
    Ok(roles.collect())
}
