//! A list, a decision and row-level security say the same of every row, on real PostgreSQL.

mod draw;
mod rules;

use std::collections::BTreeSet;

use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder, Transaction};
use stockade_rbac::{Actor, Direct, Resource};
use uuid::Uuid;

use self::draw::{LOADS, Perm, Row, Share, World};

const TABLE: &str = "
    CREATE SCHEMA freight;
    CREATE TABLE freight.loads (
        id uuid PRIMARY KEY, tenant_id uuid NOT NULL, owner_id uuid, team_id uuid, office_id uuid, maker_id uuid,
        touched int NOT NULL DEFAULT 0);
    CREATE INDEX ON freight.loads (tenant_id, owner_id);
    ALTER TABLE freight.loads ENABLE ROW LEVEL SECURITY;
    ALTER TABLE freight.loads FORCE ROW LEVEL SECURITY;
    CREATE POLICY access ON freight.loads USING (true) WITH CHECK (true);
    GRANT USAGE ON SCHEMA freight TO stockade_app;
    GRANT ALL ON freight.loads TO stockade_app;";

/// The table with the policies, filled.
async fn set_up(pool: &PgPool, world: &World) {
    stockade_rbac::postgres::migrator().run(pool).await.unwrap();
    sqlx::raw_sql(TABLE).execute(pool).await.unwrap();
    let policies = LOADS.seen_by(Perm::LoadView).written_by(Perm::LoadEdit);
    sqlx::raw_sql(sqlx::AssertSqlSafe(policies.to_string())).execute(pool).await.unwrap();

    let mut rows = QueryBuilder::<Postgres>::new(
        "INSERT INTO freight.loads (id, tenant_id, owner_id, team_id, office_id, maker_id) ",
    );
    for rest in world.rows.chunks(5_000) {
        rows.push_values(rest, |mut values, row: &Row| {
            values
                .push_bind(row.id)
                .push_bind(row.tenant)
                .push_bind(row.owner)
                .push_bind(row.team)
                .push_bind(row.office)
                .push_bind(row.maker);
        });
        rows.build().execute(pool).await.unwrap();
        rows.reset();
    }
    let columns = "share_id, tenant_id, kind, row_id, user_id, team_id, office_id, level, reason, granted_by, granted_at, expires_at";
    let mut shares = QueryBuilder::<Postgres>::new(format!("INSERT INTO stockade.rbac_share ({columns}) "));
    shares.push_values(&world.shares, |mut values, share: &Share| {
        let [user, team, office] = share.with.columns();
        values.push_bind(Uuid::now_v7()).push_bind(share.tenant).push_bind(share.kind).push_bind(share.row);
        values
            .push_bind(user)
            .push_bind(team)
            .push_bind(office)
            .push_bind(share.level.name())
            .push_bind("joint account");
        values.push_bind(Uuid::max()).push("now() - interval '2 hours'");
        values.push(if share.expired { "now() - interval '1 hour'" } else { "now() + interval '1 hour'" });
    });
    shares.build().execute(pool).await.unwrap();
    for person in &world.people {
        for (table, ids) in [("team", &person.teams), ("office", &person.offices)] {
            let sql = format!(
                "INSERT INTO stockade.rbac_{table}_member SELECT $1, $2, id FROM unnest($3::uuid[]) AS id ON CONFLICT DO NOTHING"
            );
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(person.tenant).bind(person.user).bind(ids);
            query.execute(pool).await.unwrap();
        }
    }
    sqlx::raw_sql("ANALYZE").execute(pool).await.unwrap();
}

/// A transaction of the application's role, in which the database knows the actor.
async fn session<'p>(pool: &'p PgPool, actor: &Actor<Perm, Direct>, tenant: Uuid) -> Transaction<'p, Postgres> {
    let mut tx = pool.begin().await.unwrap();
    let facts = "SELECT set_config('stockade.tenant_id', $1, true), set_config('stockade.actor_id', $2, true),
        set_config('stockade.actor_scopes', $3, true), set_config('role', 'stockade_app', true)";
    let user = actor.subject().user().to_string();
    let facts = sqlx::query(facts).bind(tenant.to_string()).bind(user).bind(actor.packed_scopes(tenant.into()));
    facts.execute(&mut *tx).await.unwrap();
    tx
}

async fn ids(connection: &mut PgConnection, sql: &'static str) -> BTreeSet<Uuid> {
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap().into_iter().collect()
}

/// `ROW_DECISIONS` raises the number, of which a million is the least.
#[sqlx::test(migrations = false)]
async fn a_list_a_decision_and_row_level_security_agree_on_a_million_rows(pool: PgPool) {
    let wanted: usize = std::env::var("ROW_DECISIONS").map_or(1_000_000, |number| number.parse().unwrap());
    let world = World::draw(2_500, 50);
    set_up(&pool, &world).await;
    let resources: Vec<_> = world.people.iter().map(|person| world.resources(person)).collect();
    let (mut decisions, mut allowed, mut round) = (0, 0, 0);
    while decisions < wanted {
        for (person, resources) in world.people.iter().zip(&resources) {
            let actor = world.actor(person, round);
            for tenant in [world.tenants[0], world.tenants[1]] {
                let reach = Reach { pool: &pool, actor: &actor, tenant, resources };
                let viewed = reach.agreed(Perm::LoadView).await;
                let edited = reach.agreed(Perm::LoadEdit).await;
                assert_eq!(
                    reach.under_policies("SELECT id FROM freight.loads").await,
                    viewed,
                    "{person:?} in {tenant}"
                );
                // Who does not see a row does not change it, whatever else he may.
                let both: BTreeSet<_> = viewed.intersection(&edited).copied().collect();
                let update = "UPDATE freight.loads SET touched = touched + 1 RETURNING id";
                assert_eq!(reach.under_policies(update).await, both, "{person:?} in {tenant}");
                decisions += 2 * resources.len();
                allowed += viewed.len() + edited.len();
            }
        }
        round += 1;
    }
    assert!(decisions / 50 < allowed && allowed < decisions / 2, "{allowed} of {decisions} allowed: hardly a test");
}

/// One person in one tenant.
struct Reach<'a> {
    pool: &'a PgPool,
    actor: &'a Actor<Perm, Direct>,
    tenant: Uuid,
    resources: &'a [(Uuid, Resource)],
}

impl Reach<'_> {
    /// The rows of the tenant that are decided for, after comparing them with those that the filter lets through, in memory and
    /// in a query whose role no policy binds.
    async fn agreed(&self, permission: Perm) -> BTreeSet<Uuid> {
        let filter = self.actor.rows_in(self.tenant.into(), permission, &LOADS);
        let of = |wanted: &dyn Fn(&Resource) -> bool| -> BTreeSet<Uuid> {
            self.resources.iter().filter(|(_, resource)| wanted(resource)).map(|(id, _)| *id).collect()
        };
        let here = |resource: &Resource| resource.tenant() == self.tenant.into();
        let decided = of(&|resource| here(resource) && self.actor.decide(permission, resource).is_allowed());
        assert_eq!(of(&|resource| filter.matches(resource)), decided, "in memory: {:?} {permission:?}", self.actor);
        let mut query = QueryBuilder::new("SELECT l.id FROM freight.loads l WHERE ");
        filter.push_to(&mut query, "l");
        let listed: BTreeSet<Uuid> =
            query.build_query_scalar().fetch_all(self.pool).await.unwrap().into_iter().collect();
        assert_eq!(listed, decided, "list: {:?} {permission:?}", self.actor);
        decided
    }

    async fn under_policies(&self, sql: &'static str) -> BTreeSet<Uuid> {
        ids(&mut *session(self.pool, self.actor, self.tenant).await, sql).await
    }
}
