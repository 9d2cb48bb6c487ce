//! What the policies do where nobody expects it.

use std::collections::BTreeSet;

use sqlx::PgPool;
use uuid::Uuid;

use super::draw::{LOADS, Perm, World};
use super::{ids, session, set_up};

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[sqlx::test(migrations = false)]
async fn without_scopes_no_row_is_seen_or_changed(pool: PgPool) {
    let world = World::draw(200, 4);
    set_up(&pool, &world).await;
    for scopes in [
        "",
        "Z",
        "ZZ4",
        "4",
        "Zload.view",
        "Zload.viewZ",
        "Zload.viewZ0",
        "Zload.viewerZ4",
        "Zxload.viewZ4",
        "Zload.viewZZ4",
        "Zload.viewZd",
        "Zload.viewZe00000000000000000000000000000000_00000000000000000000000000000001",
        "Zload.viewZd00000000000000000000000000000000",
        "Zload.viewZd_00000000000000000000000000000000",
        "Zload.viewZdx0000000000000000000000000000000_00000000000000000000000000000001",
    ] {
        let mut tx = pool.begin().await.unwrap();
        let facts = "SELECT set_config('stockade.tenant_id', $1, true), set_config('stockade.actor_id', $2, true),
            set_config('stockade.actor_scopes', $3, true), set_config('role', 'stockade_app', true)";
        let facts =
            sqlx::query(facts).bind(world.tenants[0].to_string()).bind(Uuid::from_u128(1).to_string()).bind(scopes);
        facts.execute(&mut *tx).await.unwrap();
        assert_eq!(ids(&mut tx, "SELECT id FROM freight.loads").await, BTreeSet::new(), "{scopes}");
        assert_eq!(ids(&mut tx, "DELETE FROM freight.loads RETURNING id").await, BTreeSet::new(), "{scopes}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_row_is_not_moved_to_where_its_writer_does_not_reach(pool: PgPool) {
    let world = World::draw(50, 1);
    set_up(&pool, &world).await;
    let [user, team, other] = [61, 62, 63].map(Uuid::from_u128);
    let tenant = world.tenants[0];
    let policy = stockade_rbac::Policy::<Perm>::compile(
        "[[role]]\nname = \"agent\"\ngrants.team = [\"load.edit\"]\ngrants.tenant = [\"load.view\"]",
    );
    let subject = stockade_rbac::Subject::new(user, tenant).team(team);
    sqlx::query("INSERT INTO stockade.rbac_team_member VALUES ($1, $2, $3)")
        .bind(tenant)
        .bind(user)
        .bind(team)
        .execute(&pool)
        .await
        .unwrap();
    let agent = policy.unwrap().actor(subject).role("agent").unwrap().build();
    let insert = "INSERT INTO freight.loads (id, tenant_id, team_id) VALUES ($1, $2, $3)";
    let id = Uuid::now_v7();

    let mut tx = session(&pool, &agent, tenant).await;
    sqlx::query(insert).bind(id).bind(tenant).bind(team).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    for (sql, value) in [
        ("UPDATE freight.loads SET team_id = $2 WHERE id = $1", other),
        ("UPDATE freight.loads SET tenant_id = $2 WHERE id = $1", world.tenants[1]),
    ] {
        let mut tx = session(&pool, &agent, tenant).await;
        let refused = sqlx::query(sql).bind(id).bind(value).execute(&mut *tx).await.unwrap_err();
        assert_eq!(code(&refused), "42501", "{sql}");
    }
    for (tenant_of_row, team_of_row) in [(tenant, other), (world.tenants[1], team)] {
        let mut tx = session(&pool, &agent, tenant).await;
        let row = sqlx::query(insert).bind(Uuid::now_v7()).bind(tenant_of_row).bind(team_of_row);
        assert_eq!(code(&row.execute(&mut *tx).await.unwrap_err()), "42501");
    }
    let mut tx = session(&pool, &agent, tenant).await;
    let deleted = ids(&mut tx, "DELETE FROM freight.loads RETURNING id").await;
    assert_eq!(deleted, BTreeSet::from([id]), "a tenant-wide view deletes nothing that the team does not have");
}

#[sqlx::test(migrations = false)]
async fn another_permissive_policy_widens_nothing(pool: PgPool) {
    let world = World::draw(200, 12);
    set_up(&pool, &world).await;
    let person = &world.people[3];
    let actor = world.actor(person, 0);
    let before = ids(&mut *session(&pool, &actor, world.tenants[0]).await, "SELECT id FROM freight.loads").await;
    sqlx::raw_sql("CREATE POLICY careless ON freight.loads USING (true)").execute(&pool).await.unwrap();
    let after = ids(&mut *session(&pool, &actor, world.tenants[0]).await, "SELECT id FROM freight.loads").await;
    assert_eq!(before, after);
}

#[test]
fn the_text_of_a_policy_names_what_it_was_given_and_nothing_else() {
    let text = LOADS.seen_by(Perm::LoadView).to_string();
    assert_eq!(text.matches("RESTRICTIVE").count(), 4);
    assert_eq!(text.matches("(false)").count(), 4, "what no permission writes, nobody writes: {text}");
    let odd = stockade_rbac::Rows::new("a\"b", "c'd", "e\\f").owner("g h").seen_by(Perm::Load).to_string();
    assert!(
        odd.contains(r#"ON "a""b"."c'd" AS"#) && odd.contains(r#""e\f" = "#) && odd.contains(r#""g h" = "#),
        "{odd}"
    );
}

/// What a statement costs must not grow with what the person is a member of, for each row: facts are read once a statement.
#[sqlx::test(migrations = false)]
async fn facts_are_read_once_a_statement_and_not_once_a_row(pool: PgPool) {
    let world = World::draw(300, 12);
    set_up(&pool, &world).await;
    let actor = world.actor(&world.people[2], 1);
    let mut tx = session(&pool, &actor, world.tenants[0]).await;
    let plan: Vec<String> = sqlx::query_scalar("EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM freight.loads")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("InitPlan"), "{plan}");
    assert!(!plan.contains("SubPlan"), "{plan}");
    let filters = plan.lines().filter(|line| line.trim_start().starts_with("Filter:"));
    assert!(filters.clone().count() > 0 && filters.into_iter().all(|line| !line.contains("rbac_")), "{plan}");
}

/// A policy that says nothing of who made a row cannot keep anything from them, so it shows nothing.
#[sqlx::test(migrations = false)]
async fn what_is_kept_from_makers_reaches_no_row_of_a_table_that_does_not_name_them(pool: PgPool) {
    let world = World::draw(200, 12);
    set_up(&pool, &world).await;
    let person = world.people.iter().position(|person| {
        let seen = world
            .resources(person)
            .into_iter()
            .filter(|(_, row)| world.actor(person, 2).decide(Perm::LoadView, row).is_allowed());
        let kept = (person.teams.len() + person.offices.len()).is_multiple_of(3);
        kept && person.tenant == world.tenants[0] && seen.count() > 0
    });
    let actor = world.actor(&world.people[person.unwrap()], 2);
    let seen = ids(&mut *session(&pool, &actor, world.tenants[0]).await, "SELECT id FROM freight.loads").await;
    assert!(!seen.is_empty());

    let nameless = stockade_rbac::Rows::new("freight", "loads", "tenant_id").owner("owner_id").team("team_id");
    let filter = actor.rows(Perm::LoadView, &nameless);
    let mut query = sqlx::QueryBuilder::new("SELECT l.id FROM freight.loads l WHERE ");
    filter.push_to(&mut query, "l");
    assert!(filter.is_empty() && query.sql().as_str().ends_with("WHERE FALSE"));
    let policies = nameless.seen_by(Perm::LoadView).to_string().replace("rbac_", "nameless_");
    sqlx::raw_sql(sqlx::AssertSqlSafe(policies.replace("stockade.nameless_", "stockade.rbac_")))
        .execute(&pool)
        .await
        .unwrap();
    let seen = ids(&mut *session(&pool, &actor, world.tenants[0]).await, "SELECT id FROM freight.loads").await;
    assert!(seen.is_empty(), "{seen:?}");
}
