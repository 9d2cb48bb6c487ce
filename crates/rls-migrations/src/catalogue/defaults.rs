//! Default privileges: what tables and sequences to come are born with.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{Grant, Grants};
use crate::model::Model;

/// The default privileges of what one role creates.
#[derive(Debug)]
pub(crate) struct Defaults {
    pub(crate) creator: String,
    /// Whether the connected role may change them.
    pub(crate) changeable: bool,
    /// Of this schema alone, rather than of every schema.
    pub(crate) in_schema: bool,
    /// Of sequences, rather than of tables.
    pub(crate) sequences: bool,
    pub(crate) grants: Grants,
}

type Row = (String, bool, bool, bool, Option<String>, String, bool);

/// Those that are set for the schema, and those that its owner has for every schema.
pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<Vec<Defaults>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.rolname::text, pg_has_role(current_user, o.oid, 'USAGE'), d.defaclnamespace <> 0, d.defaclobjtype = 'S',
                r.rolname::text, a.privilege_type, a.is_grantable
           FROM pg_catalog.pg_default_acl d
           JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole
           LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
          CROSS JOIN LATERAL aclexplode(d.defaclacl) a
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
          WHERE d.defaclobjtype IN ('r', 'S') AND a.grantee <> d.defaclrole
            AND (n.nspname = $1 OR d.defaclnamespace = 0 AND o.rolname = $2)
          ORDER BY 1, 3, 4, 5, 6",
    )
    .bind(model.schema.as_str())
    .bind(model.owner.as_str())
    .fetch_all(conn)
    .await?;
    let mut entries: BTreeMap<(String, bool, bool), Defaults> = BTreeMap::new();
    for (creator, changeable, in_schema, sequences, grantee, privilege, grantable) in rows {
        let entry = entries.entry((creator.clone(), in_schema, sequences));
        let entry =
            entry.or_insert_with(|| Defaults { creator, changeable, in_schema, sequences, grants: Grants::default() });
        entry.grants.add(grantee, Grant { privilege, column: None, grantable });
    }
    Ok(entries.into_values().collect())
}
