//! A tenant in which two people act at once.

use std::time::Instant;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_rbac::postgres::{Answer, Email, Granting, Members, Refused};
use stockade_rbac::{Actor, Direct};
use uuid::Uuid;

use crate::members::support::{Database, Perm, add, connect, enter, policy, rounds, why};

/// Two people with a role each, and a line to the database for each.
pub(super) struct Arena {
    tenant: Uuid,
    pub(super) people: [Uuid; 2],
    sessions: [Actor<Perm, Direct>; 2],
    lines: [PgConnection; 2],
    superuser: PgPool,
    members: Members<Perm>,
    roles: [&'static str; 2],
}

/// How somebody's transaction ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) done: Result<(), Refused>,
    /// Where it stands among the changes of the tenant.
    pub(super) turn: i64,
    pub(super) before_commit: Instant,
    pub(super) after_commit: Instant,
}

/// Runs a race in four tenants beside each other.
pub(super) async fn race(database: &Database, roles: [&'static str; 2], round: impl AsyncFn(&mut Arena, usize)) {
    let each = rounds("STOCKADE_RACES", 1_000).div_ceil(4);
    let run = async |worker: usize| {
        let mut arena = Arena::new(database, roles).await;
        for number in 0..each {
            arena.restore().await;
            round(&mut arena, number * 4 + worker).await;
        }
    };
    let [a, b, c, d] = [0, 1, 2, 3].map(|worker| Box::pin(run(worker)));
    tokio::join!(a, b, c, d);
}

impl Arena {
    async fn new(database: &Database, roles: [&'static str; 2]) -> Self {
        let (tenant, people) = (Uuid::now_v7(), [Uuid::now_v7(), Uuid::now_v7()]);
        let mut tx = database.begin_in(tenant).await;
        for (person, role) in people.into_iter().zip(roles) {
            add(&mut tx, tenant, person, &[role]).await;
        }
        let mut sessions = Vec::new();
        for person in people {
            let loaded = stockade_rbac::postgres::load(&mut *tx, &policy(), person).await.unwrap().unwrap();
            sessions.push(loaded.actor().multi_factor().build());
        }
        tx.commit().await.unwrap();
        let mut lines = [connect(&database.app).await, connect(&database.app).await];
        for line in &mut lines {
            sqlx::raw_sql("SET synchronous_commit = off").execute(line).await.unwrap();
        }
        let (superuser, members) = (database.superuser.clone(), database.members());
        Self { tenant, people, sessions: sessions.try_into().unwrap(), lines, superuser, members, roles }
    }

    /// Both people at once, each in a transaction of their own.
    pub(super) async fn clash(
        &mut self,
        one: impl AsyncFnOnce(Granting<'_, Perm, PgConnection>) -> Answer<()>,
        other: impl AsyncFnOnce(Granting<'_, Perm, PgConnection>) -> Answer<()>,
    ) -> [End; 2] {
        let Self { tenant, sessions: [first, second], lines: [left, right], members, .. } = self;
        let one = transact(left, *tenant, async |tx| one(members.by(first, tx)).await);
        let other = transact(right, *tenant, async |tx| other(members.by(second, tx)).await);
        tokio::join!(one, other).into()
    }

    pub(super) async fn invite(&mut self, role: &str, until: DateTime<Utc>) -> (SecretString, Email) {
        self.invite_as(0, role, until).await
    }

    /// An invitation by the first or the second.
    pub(super) async fn invite_as(&mut self, who: usize, role: &str, until: DateTime<Utc>) -> (SecretString, Email) {
        let email: Email = "ann@example.com".parse().unwrap();
        let mut tx = self.lines[who].begin().await.unwrap();
        enter(&mut tx, self.tenant).await;
        let mut by = self.members.by(&self.sessions[who], &mut *tx);
        let (_, token) = by.invite(email.clone(), role, why(), until).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        (token, email)
    }

    pub(super) async fn accept_at_once(
        &mut self,
        token: &SecretString,
        email: &Email,
        [first, second]: [Uuid; 2],
    ) -> [Result<(), Refused>; 2] {
        let Self { tenant, lines: [left, right], members, .. } = self;
        let accept = async |tx: &mut PgConnection, person| {
            members.accept(tx, token, person, email).await.map(|done| done.map(drop))
        };
        let one = transact(left, *tenant, async |tx| accept(tx, first).await);
        let other = transact(right, *tenant, async |tx| accept(tx, second).await);
        let (one, other) = tokio::join!(one, other);
        [one.done, other.done]
    }

    /// The first person takes the second's role while somebody accepts an invitation.
    pub(super) async fn demote_and_accept(
        &mut self,
        second: Uuid,
        token: &SecretString,
        person: Uuid,
        email: &Email,
    ) -> (End, End) {
        let Self { tenant, sessions: [first, _], lines: [left, right], members, .. } = self;
        let demote = transact(left, *tenant, async |tx| {
            members.by(first, tx).revoke(second, "owner", why()).await.map(|done| done.map(drop))
        });
        let accept = transact(right, *tenant, async |tx| {
            members.accept(tx, token, person, email).await.map(|done| done.map(drop))
        });
        tokio::join!(demote, accept)
    }

    /// Statements of the application's own, one on each owner, by four ways and at two levels of isolation.
    pub(super) async fn raw_at_once(&mut self, round: usize) -> [Result<(), String>; 2] {
        let ways = [
            "DELETE FROM stockade.rbac_role_assignment WHERE user_id = $1",
            "DELETE FROM stockade.rbac_member WHERE user_id = $1",
            "UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1",
            "UPDATE stockade.rbac_role_assignment SET role = 'viewer' WHERE user_id = $1",
        ];
        let begin = ["BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"][round / 16 % 2];
        let Self { tenant, lines: [left, right], people: [first, second], .. } = self;
        let raw = async |line: &mut PgConnection, sql: &'static str, person: Uuid| {
            let mut tx = line.begin_with(begin).await?;
            enter(&mut tx, *tenant).await;
            sqlx::query(sql).bind(person).execute(&mut *tx).await?;
            tx.commit().await
        };
        let (one, other) = tokio::join!(raw(left, ways[round % 4], *first), raw(right, ways[round / 4 % 4], *second));
        [one, other].map(|end| end.map_err(|error| error.into_database_error().unwrap().code().unwrap().into_owned()))
    }

    pub(super) async fn owners(&self) -> i64 {
        let owners = "SELECT count(*) FROM stockade.rbac_role_assignment a JOIN stockade.rbac_member m USING (tenant_id, user_id)
            WHERE tenant_id = $1 AND role = 'owner' AND status = 'active'";
        sqlx::query_scalar(owners).bind(self.tenant).fetch_one(&self.superuser).await.unwrap()
    }

    pub(super) async fn members_among(&self, people: [Uuid; 2]) -> i64 {
        let members = "SELECT count(*) FROM stockade.rbac_member WHERE tenant_id = $1 AND user_id = ANY ($2)";
        sqlx::query_scalar(members).bind(self.tenant).bind(people).fetch_one(&self.superuser).await.unwrap()
    }

    /// Puts the two back to what they were.
    async fn restore(&self) {
        let mut tx = self.superuser.begin().await.unwrap();
        for sql in [
            "INSERT INTO stockade.rbac_member AS m (tenant_id, user_id) SELECT $1, u.id FROM unnest($2::uuid[], $3::text[]) AS u (id, role)
             ON CONFLICT (tenant_id, user_id) DO UPDATE SET status = 'active' WHERE m.status <> 'active'",
            "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
             SELECT $1, u.id, u.role, u.id, 'x' FROM unnest($2::uuid[], $3::text[]) AS u (id, role) ON CONFLICT DO NOTHING",
            "DELETE FROM stockade.rbac_role_assignment WHERE tenant_id = $1 AND user_id = ANY ($2) AND role <> ALL ($3)",
        ] {
            let statement = sqlx::query(sql).bind(self.tenant).bind(self.people).bind(self.roles);
            statement.execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

async fn transact(
    line: &mut PgConnection,
    tenant: Uuid,
    work: impl AsyncFnOnce(&mut PgConnection) -> Answer<()>,
) -> End {
    let mut tx = line.begin().await.unwrap();
    enter(&mut tx, tenant).await;
    let done = work(&mut tx).await.unwrap();
    let turn = sqlx::query_scalar("SELECT changes FROM stockade.rbac_tenant").fetch_one(&mut *tx).await.unwrap();
    let before_commit = Instant::now();
    tx.commit().await.unwrap();
    End { done, turn, before_commit, after_commit: Instant::now() }
}
