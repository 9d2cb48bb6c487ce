//! Coming in by an invitation.

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::postgres::{Action, Changed, Email, Fate, Invitation, Refused, invited_to};
use stockade_rbac::{ErrorKind, GrantRefusal, Scope};
use uuid::Uuid;

use super::support::{Database, Perm, why};

fn email(text: &str) -> Email {
    text.parse().unwrap()
}

async fn invite(database: &Database, by: Uuid, role: &str) -> Result<(Invitation, SecretString), Refused> {
    let until = Utc::now() + TimeDelta::days(1);
    database.as_person(by, async |mut by| by.invite(email("ann@example.com"), role, why(), until).await).await
}

async fn accept(database: &Database, token: &SecretString, person: Uuid, address: &str) -> Result<Changed, Refused> {
    let mut tx = database.begin_in(invited_to(token).unwrap().as_uuid()).await;
    let done = database.members().accept(&mut *tx, token, person, &email(address)).await.unwrap();
    tx.commit().await.unwrap();
    done
}

#[sqlx::test(migrations = false)]
async fn an_invited_person_comes_in_once_with_the_role_and_no_other(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (invitation, token) = invite(&database, owner, "dispatcher").await.unwrap();
    assert_eq!(
        (invitation.fate, invitation.invited_by, invitation.email.as_str()),
        (Fate::Open, owner.into(), "ann@example.com")
    );
    assert_eq!((token.expose_secret().len(), invited_to(&token).unwrap()), (64, database.tenant.into()));

    let ann = Uuid::now_v7();
    let came = accept(&database, &token, ann, "  Ann@Example.COM ").await.unwrap();
    assert_eq!((came.by, came.target, came.action.name()), (owner.into(), ann.into(), "invitation.accept"));
    let Action::Accept { invitation: accepted } = &came.action else { panic!("{came:?}") };
    assert_eq!((accepted.id, came.before.status, came.after.roles.len()), (invitation.id, None, 1));
    assert_eq!(database.actor(ann).await.scope(Perm::Edit), Scope::Team);

    assert_eq!(accept(&database, &token, ann, "ann@example.com").await.unwrap_err(), Refused::InvitationUsed);
    assert_eq!(
        accept(&database, &token, Uuid::now_v7(), "ann@example.com").await.unwrap_err(),
        Refused::InvitationUsed
    );
}

#[sqlx::test(migrations = false)]
async fn a_token_opens_for_its_address_in_its_tenant_until_it_ends(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (invitation, token) = invite(&database, owner, "viewer").await.unwrap();
    let person = Uuid::now_v7();
    assert_eq!(accept(&database, &token, person, "bob@example.com").await.unwrap_err(), Refused::OtherAddress);
    let mut elsewhere = database.begin_in(Uuid::now_v7()).await;
    let lost = database.members().accept(&mut *elsewhere, &token, person, &email("ann@example.com")).await.unwrap();
    assert_eq!(lost.unwrap_err(), Refused::NoSuchInvitation);
    // Another tenant's name in front of the same secret is another token.
    let mut forged = token.expose_secret().to_owned();
    forged.replace_range(..4, "AAAA");
    assert_eq!(
        accept(&database, &forged.into(), person, "ann@example.com").await.unwrap_err(),
        Refused::NoSuchInvitation
    );
    for (text, kind) in
        [("", ErrorKind::InvalidToken), ("AAAA", ErrorKind::InvalidToken), ("ä", ErrorKind::InvalidToken)]
    {
        let mut tx = database.begin().await;
        let error = database.members().accept(&mut *tx, &text.into(), person, &email("ann@example.com")).await;
        assert_eq!(error.unwrap_err().kind(), kind);
    }

    let ended = "UPDATE stockade.rbac_invitation SET invited_at = now() - interval '2 days', expires_at = now() - interval '1 microsecond'";
    sqlx::query(ended).execute(&database.superuser).await.unwrap();
    assert_eq!(accept(&database, &token, person, "ann@example.com").await.unwrap_err(), Refused::InvitationExpired);
    let withdrawn = database.as_person(owner, async |mut by| by.withdraw(invitation.id).await).await.unwrap();
    assert!(matches!(withdrawn.fate, Fate::Withdrawn { .. }));
    assert_eq!(accept(&database, &token, person, "ann@example.com").await.unwrap_err(), Refused::InvitationWithdrawn);
    let again = database.as_person(owner, async |mut by| by.withdraw(invitation.id).await).await;
    assert_eq!(again.unwrap_err(), Refused::InvitationWithdrawn);
}

#[sqlx::test(migrations = false)]
async fn nobody_invites_above_themselves(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (admin, viewer) = (database.person("admin").await, database.person("viewer").await);
    let refused =
        [(admin, "accountant"), (admin, "owner"), (viewer, "viewer"), (owner, "support"), (owner, "night-shift")];
    for (by, role) in refused {
        assert!(matches!(invite(&database, by, role).await, Err(Refused::Guard(_))), "{role}");
    }
    let past = Utc::now() - TimeDelta::seconds(1);
    let past = database.as_person(owner, async |mut by| by.invite(email("a@b"), "viewer", why(), past).await).await;
    assert_eq!(past.unwrap_err(), Refused::EndsInThePast);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.rbac_invitation")
        .fetch_one(&database.superuser)
        .await
        .unwrap();
    assert_eq!(count, 0);
}

#[sqlx::test(migrations = false)]
async fn an_invitation_is_worth_what_its_inviter_is_when_it_is_accepted(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let admin = database.person("admin").await;
    let (_, token) = invite(&database, admin, "dispatcher").await.unwrap();
    let (stranger, address) = (Uuid::now_v7(), "ann@example.com");

    let _ = database.as_person(owner, async |mut by| by.suspend(admin, why()).await).await.unwrap();
    assert_eq!(accept(&database, &token, stranger, address).await.unwrap_err(), Refused::GranterNotActive);
    let _ = database.as_person(owner, async |mut by| by.reinstate(admin, why()).await).await.unwrap();
    let _ = database.as_person(owner, async |mut by| by.revoke(admin, "admin", why()).await).await.unwrap();
    let refused = accept(&database, &token, stranger, address).await.unwrap_err();
    assert!(matches!(refused, Refused::Guard(GrantRefusal::NotPermitted(_))), "{refused:?}");
    let _ = database.as_person(owner, async |mut by| by.remove(admin, why()).await).await.unwrap();
    assert_eq!(accept(&database, &token, stranger, address).await.unwrap_err(), Refused::GranterNotActive);
    // The inviter is back with all it had: so is the invitation.
    let _ = database.as_person(owner, async |mut by| by.admit(admin, why()).await).await.unwrap();
    let _ = database.as_person(owner, async |mut by| by.assign(admin, "admin", why(), None).await).await.unwrap();
    assert!(accept(&database, &token, stranger, address).await.is_ok());
}

#[sqlx::test(migrations = false)]
async fn an_invitation_gives_a_member_nothing(pool: PgPoolOptions, login: PgConnectOptions) {
    let (database, owner) = Database::founded(pool, login).await;
    let (_, token) = invite(&database, owner, "admin").await.unwrap();
    let suspended = database.person("viewer").await;
    let _ = database.as_person(owner, async |mut by| by.suspend(suspended, why()).await).await.unwrap();
    for person in [suspended, owner, database.person("viewer").await] {
        assert_eq!(accept(&database, &token, person, "ann@example.com").await.unwrap_err(), Refused::AlreadyMember);
    }
    assert!(database.load(&super::support::policy(), suspended).await.is_none());
}

#[sqlx::test(migrations = false)]
async fn open_invitations_are_listed_without_a_token_and_who_may_not_manage_withdraws_none(
    pool: PgPoolOptions,
    login: PgConnectOptions,
) {
    let (database, owner) = Database::founded(pool, login).await;
    let (first, token) = invite(&database, owner, "viewer").await.unwrap();
    let (second, _) = invite(&database, owner, "viewer").await.unwrap();
    let viewer = database.person("viewer").await;
    let refused = database.as_person(viewer, async |mut by| by.withdraw(first.id).await).await;
    assert!(matches!(refused, Err(Refused::Guard(GrantRefusal::NotPermitted(_)))));
    let unknown = database.as_person(owner, async |mut by| by.withdraw(Uuid::now_v7()).await).await;
    assert_eq!(unknown.unwrap_err(), Refused::NoSuchInvitation);

    let list = async |after| {
        database.members().invitations(&mut *database.begin().await, after, 5.try_into().unwrap()).await.unwrap()
    };
    assert!(list(None).await.iter().map(|open| open.id).eq([first.id, second.id]));
    assert_eq!(list(Some(first.id)).await.len(), 1);
    assert!(accept(&database, &token, Uuid::now_v7(), "ann@example.com").await.is_ok());
    let open = list(None).await;
    assert_eq!(open.len(), 1);
    assert!(!format!("{open:?}").contains("ann@"), "an address has no debug form");
}

#[test]
fn an_address_is_compared_as_people_mean_it() {
    assert_eq!(email(" Ann.Lee@Example.com\n"), email("ann.lee@example.com"));
    assert_ne!(email("ann@example.com"), email("ann@example.org"));
    let long = format!("{}@b", "a".repeat(253));
    for bad in ["", "ann", "@b", "a@", "a b@c", "a\u{0}@b", "a@b\nc@d", long.as_str()] {
        let error = bad.parse::<Email>().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::InvalidEmail, "not an e-mail address"),
            "{bad:?}"
        );
    }
}
