//! Attempts that are made once in a database. Where they need a table, they take the first one with canary rows.

use super::context::Context;
use super::judge::{Control, Expect};
use super::kind::Attempt;
use super::program::Body;
use super::seed::Who;
use super::site::Site;
use super::surroundings::Surroundings;
use super::trial::Trials;
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

pub(super) const OBJECT: &str = "database";

/// The attempts that need a table with rows.
pub(super) const NEED_ROWS: [Attempt; 8] = [
    Attempt::SetConfigUnion,
    Attempt::SetConfigWhere,
    Attempt::StackedSet,
    Attempt::CopyTable,
    Attempt::Publication,
    Attempt::Parallel,
    Attempt::Savepoint,
    Attempt::AbortedTransaction,
];

/// Attempts that need no row.
pub(super) fn bare(model: &Model, context: &Context, facts: &Surroundings) -> Trials {
    let mut trials = Trials::on(OBJECT);
    add_context(model, context, facts, &mut trials);
    add_planting(model, &mut trials);
    add_server(model, facts, &mut trials);
    for attempt in [Attempt::Estimates, Attempt::RowCounts, Attempt::AdvisoryLocks, Attempt::Notifications] {
        trials.query_after(attempt, Expect::Declared, sql!(""), sql!("SELECT 1"));
    }
    trials
}

fn add_context(model: &Model, context: &Context, facts: &Surroundings, trials: &mut Trials) {
    if facts.has_context {
        let swap =
            sql!("CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT pg_catalog.gen_random_uuid() AS tenant_id");
        trials.forbidden(Attempt::ReplaceContext, swap);
    } else {
        trials.cannot(Attempt::ReplaceContext, "there is no view of the context");
    }
    let preset = sql!("ALTER ROLE {} SET {} = {}", model.app, context.setting, context.b);
    trials.forbidden(Attempt::PresetContext, preset);
    if facts.leases {
        trials.forbidden(Attempt::ReadLeases, sql!("SELECT FROM stockade.tenant_lease LIMIT 1"));
        let mint =
            sql!("SELECT stockade.mint_lease('\\x00'::bytea, gen_random_uuid(), interval '1 minute', NULL, '', false)");
        trials.forbidden(Attempt::MintLease, mint);
    } else {
        for attempt in [Attempt::ForgedLease, Attempt::ReadLeases, Attempt::MintLease] {
            trials.cannot(attempt, "the context is a setting, not a lease");
        }
    }
}

/// Objects of the application's own making.
fn add_planting(model: &Model, trials: &mut Trials) {
    trials.forbidden(Attempt::TempTable, sql!("CREATE TEMPORARY TABLE stockade_probe ()"));
    trials.forbidden(
        Attempt::TempFunction,
        sql!("CREATE FUNCTION pg_temp.stockade_probe() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    );
    let function =
        |schema: &Ident| sql!("CREATE FUNCTION {}.stockade_probe() RETURNS int LANGUAGE sql AS 'SELECT 1'", schema);
    trials.forbidden(Attempt::CreateFunction, function(&model.schema));
    let public = Ident::own("public");
    let missing = Expect::Refused(Control::None, &["3F000"]);
    let body = sql!("{}; SELECT 1", function(&public));
    trials.add(Attempt::CreateInPublic, missing, sql!(""), Body::Change(body));
}

fn add_server(model: &Model, facts: &Surroundings, trials: &mut Trials) {
    let large = sql!("SELECT lo_from_bytea(0, 'x') IS NULL");
    trials.forbidden(Attempt::LargeObject, large);
    trials.forbidden(Attempt::DisableTriggers, sql!("SET LOCAL session_replication_role = 'replica'"));
    trials.forbidden(Attempt::ServerFiles, sql!("SELECT pg_read_file('PG_VERSION')"));
    trials.forbidden(Attempt::RawStatistics, sql!("SELECT FROM pg_catalog.pg_statistic LIMIT 1"));
    // What the role may do in the session is what its next session may do: the view shows what the role's own sessions run.
    trials.forbidden(Attempt::Activity, sql!("SELECT FROM pg_catalog.pg_stat_activity LIMIT 1"));
    let Some(owner) = &facts.owner else {
        return trials.cannot(Attempt::NewTable, "the connected role cannot act as the owner");
    };
    let table = sql!("{}.{}", model.schema, Ident::own("stockade_probe"));
    let before =
        sql!("SET LOCAL ROLE {}; CREATE TABLE {} AS SELECT 1 AS x; SET LOCAL ROLE {};", owner, table, model.app);
    trials.add(Attempt::NewTable, Expect::NoPrivilege, before, Body::Query(sql!("SELECT count(*) FROM {}", table)));
}

/// Attempts on the rows of one table.
pub(super) fn on(site: &Site<'_>, model: &Model, context: &Context, facts: &Surroundings) -> Trials {
    let mut trials = Trials::on(OBJECT);
    let of_b = || sql!("SELECT count(*) FROM {}", site.is(&site.b));
    add_set_config(site, context, &mut trials);
    let stacked = Expect::NoRows(Control::Read);
    if context.leased {
        // A secret that nobody minted; a tenant's identifier is no secret.
        trials.query_after(
            Attempt::StackedSet,
            stacked,
            sql!("SET LOCAL {} = {};", tenant_setting(), site.canaries.b),
            of_b(),
        );
        let forged = context.raw(&"f".repeat(64));
        let any = sql!("SELECT count(*) FROM (SELECT FROM {} LIMIT 1) x", site.table);
        trials.query_after(Attempt::ForgedLease, stacked, forged, any);
    } else {
        trials.query_after(Attempt::StackedSet, Expect::Channel(Control::Read), context.enter(Who::B), of_b());
    }
    let copy = sql!("{}.{}", model.schema, Ident::own("stockade_probe"));
    trials.forbidden(Attempt::CopyTable, sql!("CREATE TABLE {} AS TABLE {}", copy, site.table));
    trials.forbidden(Attempt::Publication, sql!("CREATE PUBLICATION stockade_probe FOR TABLE {}", site.table));
    let forced = if facts.version >= 160_000 {
        sql!("SET LOCAL debug_parallel_query = on;")
    } else {
        sql!("SET LOCAL force_parallel_mode = on;")
    };
    let before = sql!("{} SET LOCAL parallel_setup_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;", forced);
    trials.query_after(Attempt::Parallel, stacked, before, of_b());
    trials
}

fn add_set_config(site: &Site<'_>, context: &Context, trials: &mut Trials) {
    let call = sql!("set_config({}, {}, true)", Literal::of(&context.setting), context.b);
    let union = sql!(
        "SELECT count(*) FROM (SELECT 0 AS n WHERE {} IS NULL UNION ALL SELECT 1 FROM {}) x",
        call,
        site.is(&site.b)
    );
    let condition =
        sql!("SELECT count(*) FROM (SELECT {} AS t OFFSET 0) x WHERE (SELECT {} IS NOT NULL)", site.b, call);
    let then = sql!("SELECT count(*) FROM {}", site.is(&site.b));
    let expect = Expect::NoRows(Control::Read);
    // The change of the context lasts as long as the transaction: the next statement of the same one reads as B.
    trials.query_after(Attempt::SetConfigUnion, expect, sql!("{};", union), then.clone());
    trials.query_after(Attempt::SetConfigWhere, expect, sql!("{};", condition), then);
}

fn tenant_setting() -> Ident {
    Ident::own("stockade.tenant_id")
}

/// Attempts that need savepoints of the session, which a `DO` block does not have: statements, and the query that follows them.
pub(super) fn savepoints(site: &Site<'_>, model: &Model, context: &Context) -> [(Attempt, Vec<Sql>, Sql); 2] {
    let of_b = || sql!("SELECT count(*)::text FROM {}", site.is(&site.b));
    let enter = || vec![sql!("SET LOCAL ROLE {}", model.app), context.enter(Who::A), sql!("SAVEPOINT stockade_inner")];
    let mut switched = enter();
    switched.extend([context.enter(Who::B), sql!("ROLLBACK TO SAVEPOINT stockade_inner")]);
    let mut aborted = enter();
    aborted.extend([context.enter(Who::B), sql!("SELECT 1 / 0"), sql!("ROLLBACK TO SAVEPOINT stockade_inner")]);
    [(Attempt::Savepoint, switched, of_b()), (Attempt::AbortedTransaction, aborted, of_b())]
}
