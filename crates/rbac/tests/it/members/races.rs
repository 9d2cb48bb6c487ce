//! Changes at the same time. Each race has a control, in which the obvious way fails.

mod arena;
mod controls;

use std::cell::Cell;

use chrono::{TimeDelta, Utc};
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::GrantRefusal;
use stockade_rbac::postgres::{Answer, Granting, Refused};
use uuid::Uuid;

use self::arena::{Arena, End, race};
use super::support::{Database, Perm, rounds, why};

/// A way in which an owner can go.
async fn go(mut by: Granting<'_, Perm, PgConnection>, way: usize, owner: Uuid) -> Answer<()> {
    let gone = match way {
        0 => by.revoke(owner, "owner", why()).await,
        1 => by.suspend(owner, why()).await,
        _ => by.remove(owner, why()).await,
    };
    gone.map(|gone| gone.map(drop))
}

/// `STOCKADE_RACES` is the number of rounds of each race here, of which a thousand is the default.
#[sqlx::test(migrations = false)]
async fn a_thousand_pairs_of_owners_that_go_at_once_leave_one(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    race(&database, ["owner", "owner"], async |arena: &mut Arena, round| {
        // Each by one of three ways, and each oneself or the other: all 36 pairs in turn.
        let [one, other] = [round % 6, round / 6 % 6].map(|pick| (pick % 3, pick / 3));
        let targets = arena.people;
        let ends = arena
            .clash(
                async |by| go(by, one.0, targets[one.1]).await,
                async |by| go(by, other.0, targets[1 - other.1]).await,
            )
            .await;
        assert_eq!(arena.owners().await, 1, "round {round}: {ends:?}");
        assert!(ends.iter().any(|end| end.done.is_ok()), "round {round}: {ends:?}");
    })
    .await;
}

#[sqlx::test(migrations = false)]
async fn of_two_owners_who_demote_each_other_at_once_one_does(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    race(&database, ["owner", "owner"], async |arena: &mut Arena, round| {
        let [first, second] = arena.people;
        let ends = arena.clash(async |by| go(by, 0, second).await, async |by| go(by, 0, first).await).await;
        let refused: Vec<_> = ends.iter().filter_map(|end| end.done.as_ref().err()).collect();
        assert!(matches!(refused[..], [Refused::Guard(GrantRefusal::NotPermitted(_))]), "round {round}: {ends:?}");
    })
    .await;
}

#[sqlx::test(migrations = false)]
async fn no_grant_is_committed_after_its_granter_was_demoted(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let (granted, refused) = (Cell::new(0), Cell::new(0));
    race(&database, ["owner", "admin"], async |arena: &mut Arena, round| {
        let (admin, newcomer) = (arena.people[1], Uuid::now_v7());
        let [demoted, given]: [End; 2] = arena
            .clash(
                async |by| go_down(by, admin).await,
                async |mut by| match by.admit(newcomer, why()).await? {
                    Ok(_) => Ok(by.assign(newcomer, "dispatcher", why(), None).await?.map(drop)),
                    Err(refused) => Ok(Err(refused)),
                },
            )
            .await;
        assert_eq!(demoted.done, Ok(()));
        match given.done {
            // The numbers are given under the lock, so their order is that of the commits.
            Ok(()) => {
                granted.set(granted.get() + 1);
                assert!(given.turn < demoted.turn, "round {round}");
                assert!(given.before_commit < demoted.after_commit, "round {round}");
            }
            Err(reason) => {
                refused.set(refused.get() + 1);
                assert!(matches!(reason, Refused::Guard(GrantRefusal::NotPermitted(_))), "round {round}: {reason:?}");
            }
        }
    })
    .await;
    assert!(
        granted.get() > 0 && refused.get() > 0,
        "hardly a race: {} granted, {} refused",
        granted.get(),
        refused.get()
    );
}

async fn go_down(mut by: Granting<'_, Perm, PgConnection>, admin: Uuid) -> Answer<()> {
    by.revoke(admin, "admin", why()).await.map(|done| done.map(drop))
}

#[sqlx::test(migrations = false)]
async fn an_invitation_that_two_accept_at_once_lets_one_in(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    race(&database, ["owner", "viewer"], async |arena: &mut Arena, round| {
        let (token, email) = arena.invite("viewer", Utc::now() + TimeDelta::hours(1)).await;
        let people = [Uuid::now_v7(), Uuid::now_v7()];
        let ends = arena.accept_at_once(&token, &email, people).await;
        let refused: Vec<_> = ends.iter().filter_map(|end| end.as_ref().err()).collect();
        assert_eq!(refused, [&Refused::InvitationUsed], "round {round}");
        assert_eq!(arena.members_among(people).await, 1, "round {round}");
    })
    .await;
}

#[sqlx::test(migrations = false)]
async fn nobody_comes_in_by_an_invitation_after_the_inviter_was_demoted(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let (came, stayed) = (Cell::new(0), Cell::new(0));
    race(&database, ["owner", "owner"], async |arena: &mut Arena, round| {
        // The second invites, the first demotes the second while somebody accepts.
        let (token, email) = arena.invite_as(1, "viewer", Utc::now() + TimeDelta::hours(1)).await;
        let (second, person) = (arena.people[1], Uuid::now_v7());
        let (demoted, accepted) = arena.demote_and_accept(second, &token, person, &email).await;
        assert_eq!(demoted.done, Ok(()));
        match accepted.done {
            Ok(()) => {
                came.set(came.get() + 1);
                assert!(accepted.turn < demoted.turn, "round {round}");
            }
            Err(Refused::Guard(GrantRefusal::NotPermitted(_))) => stayed.set(stayed.get() + 1),
            Err(other) => panic!("round {round}: {other:?}"),
        }
    })
    .await;
    assert!(came.get() > 0 && stayed.get() > 0, "hardly a race: {} came, {} stayed", came.get(), stayed.get());
}

#[sqlx::test(migrations = false)]
async fn owners_that_raw_statements_delete_at_once_leave_one(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let failures = Cell::new(0);
    race(&database, ["owner", "owner"], async |arena: &mut Arena, round| {
        let ends = arena.raw_at_once(round).await;
        assert_eq!(arena.owners().await, 1, "round {round}: {ends:?}");
        for state in ends.iter().filter_map(|end| end.as_ref().err()) {
            failures.set(failures.get() + 1);
            // The trigger, or an older snapshot that came too late.
            assert!(["23001", "40001"].contains(&state.as_str()), "round {round}: {state}");
        }
    })
    .await;
    assert_eq!(failures.get(), rounds("STOCKADE_RACES", 1_000).div_ceil(4) * 4);
}
