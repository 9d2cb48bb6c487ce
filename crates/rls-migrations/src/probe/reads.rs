//! Attempts to read rows of B.

use super::context::Context;
use super::judge::{Control, Expect};
use super::kind::Attempt;
use super::program::Body;
use super::seed::Who;
use super::site::Site;
use super::trial::Trials;
use crate::ident::{Ident, Literal};
use crate::sql::{Sql, sql};

/// A table with more rows than this is not sampled: that reads all of it.
const MOST_SAMPLED: f64 = 100_000.0;

pub(super) fn add(site: &Site<'_>, context: &Context, reach: Reach<'_>, trials: &mut Trials) {
    add_plain(site, trials);
    add_special(site, trials);
    add_settings(site, context, trials);
    add_roles(site, context, reach, trials);
}

/// Which other roles the administrator can act as, by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    /// `None` where it cannot act as the reader.
    pub(super) reader: Option<&'a Ident>,
    pub(super) owners: &'a [String],
    pub(super) admin: &'a Ident,
}

fn add_plain(site: &Site<'_>, trials: &mut Trials) {
    let (table, tenant, a, b) = (site.table, site.tenant, &site.a, &site.b);
    let of_b = &site.is(b);
    let plain = [
        (Attempt::Select, sql!("SELECT count(*) FROM {}", of_b)),
        (
            Attempt::SelectOthers,
            sql!("SELECT count(*) FROM (SELECT FROM {} WHERE {} IS DISTINCT FROM {} LIMIT 1) x", table, tenant, a),
        ),
        (
            Attempt::Join,
            sql!("SELECT count(*) FROM {0} x JOIN {0} y ON x.{1} = y.{1} WHERE y.{1} = {2}", table, tenant, b),
        ),
        (
            Attempt::Aggregate,
            sql!("SELECT coalesce(max(x.n), 0) FROM (SELECT count(*) AS n FROM {} GROUP BY {}) x", of_b, tenant),
        ),
        (Attempt::Exists, sql!("SELECT count(*) FROM (VALUES (1)) x WHERE EXISTS (SELECT FROM {})", of_b)),
        (
            Attempt::Subquery,
            sql!("SELECT count(*) FROM (VALUES ({})) x (t) WHERE x.t IN (SELECT {} FROM {})", b, tenant, table),
        ),
        (Attempt::Cte, sql!("WITH x AS MATERIALIZED (SELECT {} FROM {}) SELECT count(*) FROM x", tenant, of_b)),
        (
            Attempt::RecursiveCte,
            sql!(
                "WITH RECURSIVE x (t, n) AS (SELECT {}, 0 FROM {} UNION ALL SELECT t, n + 1 FROM x WHERE n < 1) SELECT count(*) FROM x",
                tenant,
                of_b
            ),
        ),
        (
            Attempt::Lateral,
            sql!(
                "SELECT count(*) FROM (VALUES ({})) x (t), LATERAL (SELECT FROM {} WHERE {} = x.t) y",
                b,
                table,
                tenant
            ),
        ),
        (
            Attempt::Window,
            sql!(
                "SELECT count(*) FROM (SELECT {0} AS t, row_number() OVER (PARTITION BY {0}) FROM {1}) x WHERE x.t = {2}",
                tenant,
                table,
                b
            ),
        ),
        (
            Attempt::SetOperation,
            sql!(
                "SELECT count(*) FROM (SELECT {0} AS t FROM {1} UNION ALL SELECT {0} FROM {1}) x WHERE x.t = {2}",
                tenant,
                table,
                b
            ),
        ),
        (Attempt::SystemColumns, sql!("SELECT count(*) FROM {} AND tableoid IS NOT NULL AND xmin IS NOT NULL", of_b)),
        (Attempt::WholeRow, sql!("SELECT count(*) FROM {} AS r WHERE strpos(r::text, {}) > 0", table, site.canaries.b)),
        (Attempt::Statistics, sql!("SELECT CASE WHEN row_security_active({}::oid) THEN 0 ELSE 1 END", site.facts.oid)),
    ];
    for (attempt, query) in plain {
        trials.query(attempt, query);
    }
    if site.facts.estimate > MOST_SAMPLED {
        trials.cannot(Attempt::TableSample, "the table is large, and sampling reads all of it");
    } else {
        let query = sql!("SELECT count(*) FROM {} TABLESAMPLE SYSTEM (100) WHERE {} = {}", table, tenant, b);
        trials.query(Attempt::TableSample, query);
    }
    match site.ctid {
        Some(ctid) => trials.query(
            Attempt::Ctid,
            sql!("SELECT count(*) FROM {} WHERE ctid = {}::tid AND {} IS DISTINCT FROM {}", table, ctid, tenant, a),
        ),
        None => trials.cannot(Attempt::Ctid, "the connected role may not know the address of B's row"),
    }
}

fn add_special(site: &Site<'_>, trials: &mut Trials) {
    let (table, tenant, a, b) = (site.table, site.tenant, &site.a, &site.b);
    let of_b = &site.is(b);
    let inner = Literal(sql!("SELECT {} FROM {}", tenant, of_b).as_str().to_owned());
    trials.query_after(
        Attempt::Xml,
        Expect::NoRows(Control::Read),
        sql!("SET LOCAL xmlbinary = 'hex';"),
        sql!(
            "SELECT CASE WHEN strpos(query_to_xml({}, false, false, '')::text, {}) > 0 THEN 1 ELSE 0 END",
            inner,
            site.canaries.b
        ),
    );
    trials.add(
        Attempt::LeakyPredicate,
        Expect::NamesNobody,
        sql!(""),
        Body::Change(sql!(
            "SELECT FROM {0} WHERE CASE WHEN {1} = {2} THEN 0 ELSE {1}::text::int END = 0",
            table,
            tenant,
            a
        )),
    );
    trials.change(Attempt::RowLock, Control::Read, sql!("SELECT FROM {} FOR UPDATE", of_b));
    let cursor = Body::Cursor(sql!("SELECT {} FROM {}", tenant, of_b));
    trials.add(Attempt::Cursor, Expect::NoRows(Control::Read), sql!(""), cursor);
}

/// With other settings: neighbours with the same ones are asked together.
fn add_settings(site: &Site<'_>, context: &Context, trials: &mut Trials) {
    let any = || sql!("SELECT count(*) FROM (SELECT FROM {} LIMIT 1) x", site.table);
    let of_b = || sql!("SELECT count(*) FROM {}", site.is(&site.b));
    let reset = Expect::NoRows(Control::Read);
    trials.query_after(Attempt::ContextReset, reset, context.reset(), any());
    trials.query_after(Attempt::ContextEmpty, Expect::NothingOrError, context.raw(""), any());
    trials.query_after(Attempt::ContextMalformed, Expect::NothingOrError, context.raw("' OR true --"), any());
    trials.query_after(Attempt::ContextOtherType, Expect::NothingOrError, context.raw("1"), any());
    let twice = sql!("{}{}", context.enter(Who::B), context.enter(Who::A));
    trials.query_after(Attempt::ContextTwice, Expect::NoRows(Control::Read), twice, of_b());
    trials.query_after(
        Attempt::RowSecurityOff,
        Expect::Refused(Control::Read, &[]),
        sql!("SET LOCAL row_security = off;"),
        sql!("SELECT 1 + count(*) FROM {}", site.is(&site.b)),
    );
}

fn add_roles(site: &Site<'_>, context: &Context, reach: Reach<'_>, trials: &mut Trials) {
    let of_b = || sql!("SELECT count(*) FROM {}", site.is(&site.b));
    let none = Expect::NoRows(Control::None);
    match reach.reader {
        Some(reader) => trials.query_after(Attempt::ReaderSelect, none, sql!("SET LOCAL ROLE {};", reader), of_b()),
        None => trials.cannot(Attempt::ReaderSelect, "the connected role cannot act as the reader, or there is none"),
    }
    let owner = &site.facts.owner;
    if reach.owners.iter().any(|name| name == owner.as_str()) {
        trials.query_after(Attempt::OwnerSelect, none, sql!("SET LOCAL ROLE {};", owner), of_b());
    } else {
        trials.cannot(Attempt::OwnerSelect, "the connected role cannot act as the owner");
    }
    let prepared = |between: Sql| Body::Prepared { query: sql!("SELECT count(*) FROM {}", site.is(&site.b)), between };
    let body = prepared(context.enter(Who::A));
    trials.add(Attempt::Prepared, Expect::NoRows(Control::Read), context.enter(Who::B), body);
    let body = prepared(sql!("SET LOCAL ROLE {};", site.canaries.model.app));
    let before = sql!("SET LOCAL ROLE {};", reach.admin);
    trials.add(Attempt::PlanRoleChange, Expect::NoRows(Control::Read), before, body);
}
