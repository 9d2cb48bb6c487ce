//! Attempts on connections of the application's own login: what it could become, and what stays behind in its session.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::context::Context;
use super::copy::{refusal, sequence};
use super::facts::Facts;
use super::judge::{Control, Expect, Seen, judge};
use super::kind::{Attempt, Scope};
use super::program::{self, Body, Stage, Step};
use super::report::{ProbeRow, Verdict};
use super::surroundings::Surroundings;
use crate::error::{Error, Repr};
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

const OBJECT: &str = "login";

/// What the attempts need to know from the administrator's transaction.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) context: Context,
    /// Tenant tables, and whether somebody has committed rows in them.
    pub(super) committed: Vec<(String, Sql, Seen)>,
    pub(super) b: Literal,
}

/// Which tenant tables hold rows, as far as the administrator sees.
pub(super) async fn committed(
    model: &Model,
    facts: &BTreeMap<String, Facts>,
    around: &Surroundings,
    conn: &mut PgConnection,
) -> Result<Vec<(String, Sql, Seen)>, sqlx::Error> {
    let tenants = model.tables.iter().filter(|table| table.tenant_column().is_some());
    let tables: Vec<&Facts> = tenants.filter_map(|table| facts.get(table.name.as_str())).collect();
    let any = |facts: &&Facts| Step { before: sql!(""), body: Body::Query(any(&facts.qualified)) };
    let steps: Vec<Step> = tables.iter().map(any).collect();
    let stage = Stage { enter: sql!("SET LOCAL ROLE {}", around.admin), marker: sql!("NULL") };
    let seen = program::run(&stage, &steps, conn).await?;
    let name = |facts: &Facts| [model.schema.as_str(), ".", facts.name.as_str()].concat();
    Ok(tables.iter().zip(seen).map(|(facts, seen)| (name(facts), facts.qualified.clone(), seen)).collect())
}

fn any(table: &Sql) -> Sql {
    sql!("SELECT count(*) FROM (SELECT FROM {} LIMIT 1) x", table)
}

/// The rows of a probe that was given no login.
pub(super) fn untested() -> impl Iterator<Item = ProbeRow> {
    let kinds = Attempt::ALL.iter().filter(|attempt| attempt.scope() == Scope::Login);
    kinds.map(|attempt| {
        row(*attempt, OBJECT, "not tried", Verdict::Untested("no login of the application was given".to_owned()))
    })
}

fn row(attempt: Attempt, object: &str, seen: &str, verdict: Verdict) -> ProbeRow {
    ProbeRow { attempt, object: object.to_owned(), seen: seen.to_owned(), verdict }
}

pub(super) async fn rows(
    model: &Model,
    around: &Surroundings,
    wanted: &Wanted,
    options: &PgConnectOptions,
) -> Result<Vec<ProbeRow>, Error> {
    let mut conn = PgConnection::connect_with(options).await.map_err(Repr::Login)?;
    let rows = attempts(model, around, wanted, &mut conn).await.map_err(Repr::Probe);
    let preset = connect_as_b(wanted, options).await;
    // Whatever an attempt left in the session ends with it.
    let _ = conn.close().await;
    let mut rows = rows?;
    rows.push(preset);
    Ok(rows)
}

async fn attempts(
    model: &Model,
    around: &Surroundings,
    wanted: &Wanted,
    conn: &mut PgConnection,
) -> Result<Vec<ProbeRow>, sqlx::Error> {
    let mut rows = Vec::new();
    // First: nothing has touched this session's settings yet.
    without_context(wanted, conn, &mut rows).await?;
    let (bypasses, owns, is_app): (bool, bool, bool) = sqlx::query_as(
        "SELECT r.rolsuper OR r.rolbypassrls,
                EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relowner = r.oid),
                coalesce(pg_has_role(session_user, (SELECT a.oid FROM pg_catalog.pg_roles a WHERE a.rolname = $2), 'MEMBER'), false)
           FROM pg_catalog.pg_roles r WHERE r.rolname = session_user",
    )
    .bind(model.schema.as_str())
    .bind(model.app.as_str())
    .fetch_one(&mut *conn)
    .await?;
    rows.push(match (bypasses, owns, is_app) {
        (true, ..) => row(Attempt::LoginBypasses, OBJECT, "row-level security does not bind it", Verdict::Leaked),
        (_, true, _) => row(Attempt::LoginBypasses, OBJECT, "it owns tables of the schema", Verdict::Leaked),
        (.., false) => {
            let why = "the login is not the application's role, nor a member of it".to_owned();
            row(Attempt::LoginBypasses, OBJECT, "another role", Verdict::Untested(why))
        }
        _ => row(Attempt::LoginBypasses, OBJECT, "neither", Verdict::Held),
    });
    become_others(model, around, conn, &mut rows).await?;
    leave_behind(wanted, conn, &mut rows).await?;
    Ok(rows)
}

async fn without_context(
    wanted: &Wanted,
    conn: &mut PgConnection,
    rows: &mut Vec<ProbeRow>,
) -> Result<(), sqlx::Error> {
    let attempt = Attempt::LoginWithoutContext;
    let steps: Vec<Step> =
        wanted.committed.iter().map(|(_, table, _)| Step { before: sql!(""), body: Body::Query(any(table)) }).collect();
    let stage = Stage { enter: sql!("SET LOCAL lock_timeout = '2s'"), marker: sql!("NULL") };
    let seen = program::run(&stage, &steps, conn).await?;
    for ((name, _, control), seen) in wanted.committed.iter().zip(seen) {
        let verdict = match judge(attempt, Expect::NothingOrError, &seen, None) {
            Verdict::Held if *control != Seen::Rows(1) => {
                Verdict::Untested("the administrator sees no committed row in it either".to_owned())
            }
            verdict => verdict,
        };
        rows.push(row(attempt, name, &seen.text(), verdict));
    }
    Ok(())
}

async fn become_others(
    model: &Model,
    around: &Surroundings,
    conn: &mut PgConnection,
    rows: &mut Vec<ProbeRow>,
) -> Result<(), sqlx::Error> {
    const MOST: i64 = 20;
    // Roles that row-level security does not bind, or that own what it depends on.
    let others: Vec<String> = sqlx::query_scalar(
        "SELECT r.rolname::text FROM pg_catalog.pg_roles r
          WHERE r.rolname <> session_user
            AND (r.rolsuper OR r.rolbypassrls OR r.rolname IN ($1, $2, 'stockade_owner'))
          ORDER BY r.rolname IN ($1, $2, 'stockade_owner') DESC, pg_has_role(session_user, r.oid, 'MEMBER') DESC, 1 LIMIT $3",
    )
    .bind(model.owner.as_str())
    .bind(around.admin.as_str())
    .bind(MOST)
    .fetch_all(&mut *conn)
    .await?;
    for other in others.iter().filter_map(|other| Ident::new(other).ok()) {
        for (attempt, statement) in [
            (Attempt::LoginSetRole, sql!("SET ROLE {}", other)),
            (Attempt::LoginSessionAuthorization, sql!("SET SESSION AUTHORIZATION {}", other)),
        ] {
            let seen = once(&[statement], conn).await?;
            let verdict = judge(attempt, Expect::Refused(Control::None, &[]), &seen, None);
            let text = if matches!(seen, Seen::Rows(_)) { "it became the role".to_owned() } else { seen.text() };
            rows.push(row(attempt, other.as_str(), &text, verdict));
        }
    }
    Ok(())
}

/// Statements in a transaction of their own, rolled back: one row when all of them ran.
async fn once(statements: &[Sql], conn: &mut PgConnection) -> Result<Seen, sqlx::Error> {
    let mut tx = conn.begin().await?;
    let seen = sequence(statements, &sql!("SELECT '1'"), &mut tx).await?;
    tx.rollback().await?;
    Ok(seen)
}

/// What one borrower of a pooled connection can leave for the next one. The channels are PostgreSQL's; that they are open is seen here.
async fn leave_behind(wanted: &Wanted, conn: &mut PgConnection, rows: &mut Vec<ProbeRow>) -> Result<(), sqlx::Error> {
    let setting = &wanted.context.setting;
    let value = wanted.context.a.clone();
    let left = sql!("SET {} = {}", setting, value).run(conn).await;
    let found = match left {
        Ok(()) => {
            sql!("SELECT (current_setting({}, true) = {})::int::text", Literal::of(setting), value).answer(conn).await
        }
        Err(error) => Err(error),
    };
    rows.push(channel(Attempt::SessionSetting, found)?);
    let declare = "BEGIN; DECLARE stockade_probe CURSOR WITH HOLD FOR SELECT '1'; COMMIT";
    let held = sqlx::raw_sql(declare).execute(&mut *conn).await;
    let found = match held {
        Ok(_) => sql!("FETCH stockade_probe").answer(conn).await,
        Err(error) => Err(error),
    };
    rows.push(channel(Attempt::HoldCursor, found)?);
    Ok(())
}

fn channel(attempt: Attempt, found: Result<String, sqlx::Error>) -> Result<ProbeRow, sqlx::Error> {
    let seen = match found {
        Ok(text) => Seen::Rows(text.parse().unwrap_or(0)),
        Err(error) => refusal(error)?,
    };
    Ok(row(attempt, OBJECT, &seen.text(), judge(attempt, Expect::Channel(Control::None), &seen, None)))
}

async fn connect_as_b(wanted: &Wanted, options: &PgConnectOptions) -> ProbeRow {
    let attempt = Attempt::ConnectionOptions;
    let setting = if wanted.context.leased { "stockade.tenant_id" } else { wanted.context.setting.as_str() };
    let named = options.clone().options([(setting, wanted.b.0.as_str())]);
    let mut conn = match PgConnection::connect_with(&named).await {
        Ok(conn) => conn,
        Err(_) => return row(attempt, OBJECT, "the connection was refused", Verdict::Held),
    };
    let effective = if wanted.context.setting.as_str().starts_with("stockade.") {
        sql!("SELECT count(*)::text FROM stockade.current_tenant c WHERE c.tenant_id = {}::uuid", wanted.b)
    } else {
        sql!("SELECT (current_setting({}, true) = {})::int::text", Literal::of(&wanted.context.setting), wanted.b)
    };
    let answer = effective.answer(&mut conn).await;
    let _ = conn.close().await;
    match (answer.as_deref(), attempt.closing_control()) {
        (Ok("0"), _) => row(attempt, OBJECT, "no effect", Verdict::Held),
        (Ok(_), Some(control)) if !wanted.context.leased => {
            row(attempt, OBJECT, "B is the context", Verdict::Known(control))
        }
        (Ok(_), _) => row(attempt, OBJECT, "B is the context", Verdict::Leaked),
        (Err(_), _) => row(attempt, OBJECT, "an error", Verdict::Untested("the context could not be read".to_owned())),
    }
}
