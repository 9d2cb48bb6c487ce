//! Who is connected, what it can become, and how the context works here.

use sqlx::PgConnection;

use super::context::Context;
use super::seed::Who;
use super::value::Numbers;
use crate::error::{Error, Name, Repr, sqlstate};
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::sql;

#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) version: i32,
    /// The connected role.
    pub(super) admin: Ident,
    /// Row-level security does not bind it.
    pub(super) bypasses: bool,
    pub(super) app: bool,
    pub(super) reader: bool,
    /// Every role that it can act as and that owns a table of the schema.
    pub(super) owners: Vec<String>,
    /// The declared owner, if it can act as that.
    pub(super) owner: Option<Ident>,
    pub(super) has_context: bool,
    pub(super) has_actor: bool,
    pub(super) leases: bool,
}

/// Random numbers of the server's: two tenants, two secrets, and where values begin.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) a: Literal,
    pub(super) b: Literal,
    secrets: [Literal; 2],
    pub(super) numbers: Numbers,
}

type Row = (i32, String, bool, bool, bool, bool, Vec<String>, bool, bool, bool);

impl Surroundings {
    pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<Self, Error> {
        let row: Row = sqlx::query_as(
            "SELECT s.version, current_user::text,
                    (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),
                    EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = $1),
                    coalesce((SELECT pg_has_role(session_user, r.oid, s.way) FROM pg_catalog.pg_roles r WHERE r.rolname = $1), false),
                    coalesce((SELECT pg_has_role(session_user, r.oid, s.way) FROM pg_catalog.pg_roles r WHERE r.rolname = $2), false),
                    ARRAY(SELECT DISTINCT o.rolname::text FROM pg_catalog.pg_class c
                            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                            JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
                           WHERE n.nspname = $4 AND c.relkind IN ('r', 'p') AND NOT o.rolsuper AND NOT o.rolbypassrls
                             AND pg_has_role(session_user, o.oid, s.way)),
                    coalesce((SELECT pg_has_role(session_user, r.oid, s.way) FROM pg_catalog.pg_roles r WHERE r.rolname = $3), false),
                    to_regclass('stockade.current_tenant') IS NOT NULL, to_regclass('stockade.current_actor') IS NOT NULL
               FROM (SELECT x.version, CASE WHEN x.version >= 160000 THEN 'SET' ELSE 'MEMBER' END AS way
                       FROM (SELECT current_setting('server_version_num')::int4 AS version) x) s",
        )
        .bind(model.app.as_str())
        .bind(model.reader.as_str())
        .bind(model.owner.as_str())
        .bind(model.schema.as_str())
        .fetch_one(&mut *conn)
        .await
        .map_err(Repr::Read)?;
        let leases: (bool,) = sqlx::query_as(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_rewrite w
                              JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                             WHERE w.ev_class = to_regclass('stockade.current_tenant')
                               AND d.refclassid = 'pg_catalog.pg_class'::regclass
                               AND d.refobjid = to_regclass('stockade.tenant_lease'))",
        )
        .fetch_one(conn)
        .await
        .map_err(Repr::Read)?;
        let (version, admin, bypasses, exists, app, reader, owners, owner, has_context, has_actor) = row;
        if !exists {
            let name = Name(model.app.as_str().to_owned());
            return Err(Repr::Missing { what: "role", name }.into());
        }
        Ok(Self {
            version,
            admin: Ident::new(admin)?,
            bypasses,
            app,
            reader,
            owners,
            owner: owner.then(|| model.owner.clone()),
            has_context,
            has_actor,
            leases: leases.0,
        })
    }
}

impl Surroundings {
    /// Where the connected role cannot act as the application's but may grant it to itself: for the time of the transaction.
    pub(super) async fn become_app(&mut self, model: &Model, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.app {
            return Ok(());
        }
        sql!("SAVEPOINT stockade_probe").run(conn).await?;
        match sql!("GRANT {} TO SESSION_USER", model.app).run(conn).await {
            Ok(()) => self.app = true,
            Err(error) if sqlstate(&error).is_some() => sql!("ROLLBACK TO SAVEPOINT stockade_probe").run(conn).await?,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Fresh {
    pub(super) async fn draw(conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT gen_random_uuid()::text FROM generate_series(1, 7)").fetch_all(conn).await?;
        let id = |position: usize| ids.get(position).cloned().unwrap_or_default();
        let secret = |position: usize| Literal([id(position), id(position + 1)].concat().replace('-', ""));
        let numbers = u128::from_str_radix(&id(6).replace('-', ""), 16).unwrap_or(0);
        Ok(Self { a: Literal(id(0)), b: Literal(id(1)), secrets: [secret(2), secret(4)], numbers: Numbers(numbers) })
    }

    /// The context as this database has it. Leases are written into the table for the time of the transaction.
    pub(super) async fn context(
        &self,
        setting: Option<&Ident>,
        scopes: &Literal,
        facts: &Surroundings,
        conn: &mut PgConnection,
    ) -> Result<Context, sqlx::Error> {
        let [a, b] = [&self.a, &self.b];
        if !facts.leases || setting.is_some() {
            let setting = setting.cloned().unwrap_or_else(|| Ident::own("stockade.tenant_id"));
            return Ok(Context { setting, a: a.clone(), b: b.clone(), leased: false, scopes: scopes.clone() });
        }
        let [for_a, for_b] = &self.secrets;
        let lease = |secret: &Literal, tenant: &Literal| {
            sql!(
                "INSERT INTO stockade.tenant_lease (digest, tenant_id, scopes, expires_at)
                 VALUES (sha256(convert_to({}, 'UTF8')), {}::uuid, {}, now() + interval '1 hour')",
                secret,
                tenant,
                scopes
            )
        };
        lease(for_a, a).run(conn).await?;
        lease(for_b, b).run(conn).await?;
        let context = Context {
            setting: Ident::own("stockade.lease"),
            a: for_a.clone(),
            b: for_b.clone(),
            leased: true,
            scopes: scopes.clone(),
        };
        debug_assert_ne!(context.enter(Who::A), context.enter(Who::B));
        Ok(context)
    }
}
