//! Starting on a database that is not as expected.

use sample_app::{
    app::App,
    database::{Prefix, Server},
    limits::Counting,
    secrets::Pair,
    seed,
};
use sqlx::PgPool;
use stockade::tenant_guard::TenantId;

use crate::browser::{evidence, rand_id};

fn server(pool: &PgPool) -> Server {
    Server::at(pool.connect_options().as_ref().clone())
}

#[sqlx::test(migrations = false)]
async fn a_second_start_finds_what_the_first_one_made(pool: PgPool) {
    let (pair, prefix) = (Pair::generate().unwrap(), Prefix::scratch(rand_id()));
    let first = App::start(&server(&pool), prefix.clone(), pair.parse().unwrap(), &Counting::Memory, evidence().await)
        .await
        .unwrap();
    seed::fill(&first).await.unwrap();
    first.stop().await;
    let second =
        App::start(&server(&pool), prefix, pair.parse().unwrap(), &Counting::Memory, evidence().await).await.unwrap();
    seed::fill(&second).await.unwrap();
    let mut tx = second.tenants.read(TenantId::new(seed::ACME.id)).await.unwrap();
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM freight.users").fetch_one(&mut tx).await.unwrap();
    assert_eq!(users, seed::ACME.people().count() as i64);
}

#[sqlx::test(migrations = false)]
async fn keys_of_another_database_are_refused_at_start(pool: PgPool) {
    let prefix = Prefix::scratch(rand_id());
    App::start(
        &server(&pool),
        prefix.clone(),
        Pair::generate().unwrap().parse().unwrap(),
        &Counting::Memory,
        evidence().await,
    )
    .await
    .unwrap()
    .stop()
    .await;
    let error = App::start(
        &server(&pool),
        prefix,
        Pair::generate().unwrap().parse().unwrap(),
        &Counting::Memory,
        evidence().await,
    )
    .await
    .unwrap_err();
    assert!(format!("{error:#}").contains("FIELD_CRYPTO_KEKS does not hold the keys"), "{error:#}");
}

#[sqlx::test(migrations = false)]
async fn an_edited_migration_stops_the_start(pool: PgPool) {
    let (pair, prefix) = (Pair::generate().unwrap(), Prefix::scratch(rand_id()));
    App::start(&server(&pool), prefix.clone(), pair.parse().unwrap(), &Counting::Memory, evidence().await)
        .await
        .unwrap()
        .stop()
        .await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = 'edited'::bytea").execute(&pool).await.unwrap();
    let error = App::start(&server(&pool), prefix, pair.parse().unwrap(), &Counting::Memory, evidence().await)
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("migrations are not those of this program"), "{error:#}");
}

#[sqlx::test(migrations = false)]
async fn an_undeclared_table_stops_the_start_and_is_named(pool: PgPool) {
    let (pair, prefix) = (Pair::generate().unwrap(), Prefix::scratch(rand_id()));
    App::start(&server(&pool), prefix.clone(), pair.parse().unwrap(), &Counting::Memory, evidence().await)
        .await
        .unwrap()
        .stop()
        .await;
    sqlx::query("CREATE TABLE freight.forgotten (id int)").execute(&pool).await.unwrap();
    let error = App::start(&server(&pool), prefix, pair.parse().unwrap(), &Counting::Memory, evidence().await)
        .await
        .unwrap_err();
    assert!(format!("{error:#}").contains("forgotten"), "{error:#}");
}
