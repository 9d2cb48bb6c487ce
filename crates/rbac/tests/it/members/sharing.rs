//! Sharing single rows.

use chrono::{TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::postgres::{Refused, SharedRow, SharedWith};
use stockade_rbac::{GrantRefusal, Resource, ShareLevel};
use uuid::Uuid;

use super::support::{Database, Perm, why};

/// The permissions that are checked on loads.
const USED: &[Perm] = &[Perm::View, Perm::Edit];

fn load(facts: &Resource, id: Uuid) -> SharedRow<'_, Perm> {
    SharedRow { by: Perm::View, used: USED, kind: "load", id, facts }
}

#[sqlx::test(migrations = false)]
async fn whoever_has_what_a_share_is_good_for_shares_and_ends_it(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (id, viewer) = (Uuid::now_v7(), database.person("viewer").await);
    let facts = Resource::in_tenant(database.tenant);
    let with = SharedWith::User(viewer.into());
    let until = Utc::now() + TimeDelta::days(1);
    let shared = database
        .as_person(owner, async |mut by| by.share(&load(&facts, id), with, ShareLevel::Edit, &why(), Some(until)).await)
        .await
        .unwrap();
    assert_eq!((shared.by, shared.row, shared.with, shared.level), (owner.into(), id, with, ShareLevel::Edit));
    let count = async || -> i64 {
        let count =
            "SELECT count(*) FROM stockade.rbac_share WHERE user_id = $1 AND level = 'edit' AND expires_at IS NOT NULL";
        sqlx::query_scalar(count).bind(viewer).fetch_one(&database.superuser).await.unwrap()
    };
    assert_eq!(count().await, 1);
    let other =
        database.as_person(owner, async |mut by| by.unshare(&load(&facts, Uuid::now_v7()), shared.share).await).await;
    assert_eq!(other.unwrap_err(), Refused::NoSuchShare, "a share of another row");
    let ended =
        database.as_person(owner, async |mut by| by.unshare(&load(&facts, id), shared.share).await).await.unwrap();
    assert_eq!((ended.share, ended.with, ended.level, count().await), (shared.share, with, ShareLevel::Edit, 0));
    let past = database
        .as_person(owner, async |mut by| {
            by.share(&load(&facts, id), with, ShareLevel::View, &why(), Some(Utc::now() - TimeDelta::days(1))).await
        })
        .await;
    assert_eq!(past.unwrap_err(), Refused::EndsInThePast);
}

#[sqlx::test(migrations = false)]
async fn nobody_shares_what_they_do_not_reach_or_reach_through_a_share_alone(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let (database, owner) = Database::founded(pool, login).await;
    let viewer = database.person("viewer").await;
    let (id, with) = (Uuid::now_v7(), SharedWith::Team(Uuid::now_v7().into()));
    let attempt = async |facts: Resource, level| {
        let done = database
            .as_person(viewer, async |mut by| by.share(&load(&facts, id), with, level, &why(), None).await)
            .await;
        done.map(|shared| shared.with)
    };
    let (own, foreign) =
        (Resource::in_tenant(database.tenant).owner(viewer), Resource::in_tenant(database.tenant).owner(owner));
    assert_eq!(attempt(own, ShareLevel::View).await, Ok(with));
    let edits = attempt(own, ShareLevel::Edit).await;
    assert!(matches!(edits, Err(Refused::Guard(GrantRefusal::Lacks { permission: "load.edit", .. }))), "{edits:?}");
    for facts in
        [foreign, foreign.shared_with(viewer, ShareLevel::Edit), Resource::in_tenant(Uuid::now_v7()).owner(viewer)]
    {
        assert!(
            matches!(attempt(facts, ShareLevel::View).await, Err(Refused::Guard(GrantRefusal::NotPermitted(_)))),
            "{facts:?}"
        );
        let ended =
            database.as_person(viewer, async |mut by| by.unshare(&load(&facts, id), Uuid::now_v7()).await).await;
        assert!(matches!(ended, Err(Refused::Guard(GrantRefusal::NotPermitted(_)))), "{facts:?}");
    }
}
