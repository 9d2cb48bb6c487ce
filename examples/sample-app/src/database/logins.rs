//! The application's logins, one for each kind of work.

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sqlx::{PgConnection, PgPool, query, raw_sql};

use super::Server;
use crate::reach;

/// What the names of an installation's login roles begin with. Roles belong to the whole server, so two
/// installations on one server need two prefixes.
#[derive(Clone, Debug)]
pub struct Prefix(String);

impl Prefix {
    /// The prefix of the application proper: `freight`.
    #[must_use]
    pub fn application() -> Self {
        Self("freight".to_owned())
    }

    /// A prefix of its own for a short-lived installation.
    #[must_use]
    pub fn scratch(id: u32) -> Self {
        Self(format!("freight_{id:08x}"))
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The login that seals a tenant's rows anew.
    #[must_use]
    pub fn rotator(&self) -> String {
        format!("{}_rotator", self.0)
    }

    /// The login that destroys keys whose shred is due.
    #[must_use]
    pub fn shredder(&self) -> String {
        format!("{}_shredder", self.0)
    }

    /// Drops every role of this prefix, once its database is gone.
    ///
    /// # Errors
    /// When the administrator may not drop roles.
    pub async fn drop_roles(&self, administrator: &mut PgConnection) -> Result<()> {
        raw_sql(DROP).execute(&mut *administrator).await?;
        query("SELECT pg_temp.drop_roles($1)")
            .bind(&self.0)
            .execute(administrator)
            .await
            .context("the tour's roles were not dropped")?;
        Ok(())
    }

    /// The login of requests, bound to a tenant.
    #[must_use]
    pub fn app(&self) -> String {
        format!("{}_app", self.0)
    }

    /// The login that checks sign-ins and loads keys.
    #[must_use]
    pub fn gate(&self) -> String {
        format!("{}_gate", self.0)
    }

    /// The login that links the audit log.
    #[must_use]
    pub fn sealer(&self) -> String {
        format!("{}_sealer", self.0)
    }

    /// The login that signs where the audit log ends.
    #[must_use]
    pub fn checkpointer(&self) -> String {
        format!("{}_checkpointer", self.0)
    }

    /// The login that erases personal values of the audit log.
    #[must_use]
    pub fn eraser(&self) -> String {
        format!("{}_eraser", self.0)
    }

    /// The login that places and releases legal holds.
    #[must_use]
    pub fn holder(&self) -> String {
        format!("{}_holder", self.0)
    }
}

/// Drops roles by what their names begin with; the server quotes them.
const DROP: &str = r"
CREATE OR REPLACE FUNCTION pg_temp.drop_roles(prefix text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
    FOR name IN SELECT rolname FROM pg_roles WHERE starts_with(rolname, prefix || '_') LOOP
        EXECUTE format('DROP ROLE %I', name);
    END LOOP;
END $$";

/// One pool for each login.
#[derive(Clone, Debug)]
pub struct Logins {
    /// Requests in a tenant's scope.
    pub app: PgPool,
    /// Accounts, sessions and wrapped keys.
    pub gate: PgPool,
    /// Sealing and checking the audit log of every tenant.
    pub sealer: PgPool,
    /// Signing checkpoints of it.
    pub checkpointer: PgPool,
    /// Erasing personal values of it.
    pub eraser: PgPool,
    /// Legal holds on it.
    pub holder: PgPool,
    /// Sealing rows anew.
    pub rotator: PgPool,
    /// Destroying keys.
    pub shredder: PgPool,
}

/// Creates the logins that rls-migrations does not know and gives each its group roles.
///
/// A login is created or changed only by the administrator, and the names are quoted by the server.
const INSTALL: &str = r"
CREATE OR REPLACE FUNCTION pg_temp.install_login(login text, password text, groups text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE member text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        EXECUTE format('CREATE ROLE %I', login);
    END IF;
    EXECUTE format('ALTER ROLE %I WITH LOGIN PASSWORD %L', login, password);
    FOREACH member IN ARRAY groups LOOP
        EXECUTE format('GRANT %I TO %I', member, login);
    END LOOP;
    -- The schema's hardening took `set_config` from everybody. The checkpointer waits with it until the disk has what it
    -- publishes; rotator and shredder go from tenant to tenant with it. No request runs on these logins.
    IF groups && ARRAY['stockade_checkpointer', 'stockade_rotator', 'stockade_shredder']
        AND NOT 'stockade_auth' = ANY (groups) AND NOT has_function_privilege(login, 'set_config(text, text, boolean)', 'EXECUTE') THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO %I', login);
    END IF;
END $$";

impl Logins {
    /// Sets a fresh random password for each login and opens its pool.
    ///
    /// # Errors
    /// When the administrator may not create roles, or the server cannot be reached.
    pub async fn install(server: &Server, administrator: &mut PgConnection, prefix: &Prefix) -> Result<Self> {
        raw_sql(INSTALL).execute(&mut *administrator).await.context("could not prepare the logins")?;
        Ok(Self {
            app: login(server, administrator, &prefix.app(), &["stockade_app"], 8).await?,
            gate: login(
                server,
                administrator,
                &prefix.gate(),
                &["stockade_auth", "stockade_keyring", "stockade_rotator"],
                8,
            )
            .await?,
            sealer: login(server, administrator, &prefix.sealer(), &["stockade_sealer"], 2).await?,
            checkpointer: login(server, administrator, &prefix.checkpointer(), &["stockade_checkpointer"], 1).await?,
            eraser: login(server, administrator, &prefix.eraser(), &["stockade_eraser"], 1).await?,
            holder: login(server, administrator, &prefix.holder(), &["stockade_holder"], 1).await?,
            // These two work on the application's own tables, in one tenant's context after the other.
            rotator: reaching(
                &login(server, administrator, &prefix.rotator(), &["stockade_rotator", &prefix.app()], 2).await?,
            )?,
            shredder: reaching(
                &login(server, administrator, &prefix.shredder(), &["stockade_shredder", &prefix.app()], 1).await?,
            )?,
        })
    }

    /// Closes every pool.
    pub async fn close(&self) {
        let log = [&self.sealer, &self.checkpointer, &self.eraser, &self.holder];
        for pool in log.into_iter().chain([&self.app, &self.gate, &self.rotator, &self.shredder]) {
            pool.close().await;
        }
    }
}

/// The pool, whose connections reach every row of whichever tenant they are in: they work for a tenant, and for no person of it.
fn reaching(pool: &PgPool) -> Result<PgPool> {
    let scopes = reach::whole_tenant()?;
    let options = pool.options().clone().after_connect(move |connection, _| {
        let scopes = scopes.clone();
        Box::pin(async move {
            let reach = query("SELECT set_config('stockade.actor_scopes', $1, false)").bind(scopes.as_str());
            reach.execute(connection).await.map(drop)
        })
    });
    Ok(options.connect_lazy_with(pool.connect_options().as_ref().clone()))
}

async fn login(
    server: &Server,
    administrator: &mut PgConnection,
    name: &str,
    groups: &[&str],
    connections: u32,
) -> Result<PgPool> {
    let mut secret = [0; 24];
    getrandom::fill(&mut secret)?;
    let password = URL_SAFE_NO_PAD.encode(secret);
    query("SELECT pg_temp.install_login($1, $2, $3)")
        .bind(name)
        .bind(&password)
        .bind(groups)
        .execute(&mut *administrator)
        .await
        .with_context(|| {
            format!("could not create the login `{name}`; DATABASE_URL needs a role that may create roles")
        })?;
    Ok(server.pool(server.administrator.clone().username(name).password(&password), connections))
}
