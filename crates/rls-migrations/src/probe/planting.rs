//! Writing the canary rows, and seeing that they are there.

use sqlx::PgConnection;

use super::context::Context;
use super::judge::{REFUSED, Seen};
use super::program::{self, Body, Stage, Step};
use super::seed::{self, Canaries, Filling, Parents, RowOf, Seeded, Who};
use super::surroundings::Surroundings;
use crate::ident::Literal;
use crate::model::Model;
use crate::sql::{Sql, sql};

/// Tables whose rows are written in one round trip.
const TOGETHER: usize = 16;

/// Where rows are written.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    pub(super) model: &'a Model,
    pub(super) around: &'a Surroundings,
    pub(super) context: &'a Context,
}

/// One row of `who` in every tenant table, by the administrator where row-level security does not bind it, else by the application
/// in the tenant's context: `FORCE` binds an owner, and gives it no permissive policy.
pub(super) async fn plant(
    ground: &Ground<'_>,
    who: Who,
    canaries: &mut Canaries<'_>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let order = canaries.order();
    let mut tables = Vec::new();
    for name in &order {
        let earlier = canaries.seeded.get(name).cloned();
        let mut fillings = canaries.fillings(name);
        match earlier {
            Some(Seeded::Failed(_)) => continue,
            // B's row is filled as A's: attempts insert one of each.
            Some(Seeded::Rows { filling, .. }) => fillings = vec![filling],
            None => {}
        }
        let (mut statements, mut failed) = (Vec::new(), String::new());
        for filling in fillings {
            let tenant = canaries.tenant(who);
            let row = RowOf {
                tenant,
                variant: who.variant(),
                parents: Parents::Found,
                filling: &filling,
                given: Vec::new(),
                into: None,
            };
            match canaries.insert(name, &row) {
                Ok(insert) if ground.around.bypasses => {
                    statements.push((sql!("{} RETURNING ctid::text", insert), filling));
                }
                Ok(insert) => statements.push((sql!("{} RETURNING ''::text", insert), filling)),
                Err(why) => failed = why,
            }
        }
        if statements.is_empty() {
            canaries.seeded.insert(name.clone(), Seeded::Failed(failed));
        } else {
            tables.push((name, statements, failed));
        }
    }
    let role = if ground.around.bypasses { &ground.around.admin } else { &ground.model.app };
    let enter = sql!("SET LOCAL ROLE {}; {}", role, ground.context.enter(who));
    for batch in tables.chunks(TOGETHER) {
        let program: Vec<Vec<Sql>> =
            batch.iter().map(|(_, statements, _)| statements.iter().map(|(sql, _)| sql.clone()).collect()).collect();
        let outcomes = seed::plant(&enter, &program, conn).await?;
        for ((name, statements, failed), outcome) in batch.iter().zip(outcomes) {
            let seeded = match outcome {
                Ok((number, address)) => {
                    let filling = statements.get(number).map_or(Filling::Least, |(_, filling)| filling.clone());
                    Seeded::Rows { filling, ctid: (!address.is_empty()).then_some(Literal(address)) }
                }
                Err(_) if !failed.is_empty() => Seeded::Failed(failed.clone()),
                Err(code) => Seeded::Failed(format!("no row could be written (SQLSTATE {code})")),
            };
            canaries.seeded.insert((*name).clone(), seeded);
        }
    }
    sql!("SET LOCAL ROLE {}", ground.around.admin).run(conn).await
}

/// The administrator sees both rows; without that, an attempt that sees none proves nothing.
pub(super) async fn witness(
    ground: &Ground<'_>,
    canaries: &mut Canaries<'_>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let names: Vec<String> =
        canaries.seeded.iter().filter(|(_, s)| matches!(s, Seeded::Rows { .. })).map(|(n, _)| n.clone()).collect();
    let role = if ground.around.bypasses { &ground.around.admin } else { &ground.model.app };
    for (who, wanted) in [(Who::A, 1), (Who::B, 1)] {
        let count = |name: &String| {
            let (_, facts, tenant) = canaries.tenant_table(ground.model.schema.as_str(), name)?;
            let query = sql!("SELECT count(*) FROM {} WHERE {} = {}", facts.qualified, tenant, canaries.tenant(who));
            Some(Step { before: sql!(""), body: Body::Query(query) })
        };
        let steps: Vec<Step> = names.iter().filter_map(count).collect();
        let enter = sql!("SET LOCAL ROLE {}; {}", role, ground.context.enter(who));
        let stage = Stage { enter, marker: sql!("NULL") };
        let mut seen = Vec::new();
        for batch in steps.chunks(200) {
            seen.extend(program::run(&stage, batch, conn).await?);
        }
        for (name, seen) in names.iter().zip(seen) {
            // An application that may not read cannot say; its attempts are refused, not answered.
            let refused = !ground.around.bypasses && seen.is_error(REFUSED);
            if seen != Seen::Rows(wanted) && !refused {
                let why = format!("its canary row is not there ({})", seen.text());
                canaries.seeded.insert(name.clone(), Seeded::Failed(why));
            }
        }
    }
    Ok(())
}
