//! One probe, from the first fact to the rollback.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::context::Context;
use super::facts::Facts;
use super::interference::{self, Observed};
use super::judge::{Control, Controls, Expect, Seen, judge};
use super::kind::{Attempt, Scope};
use super::neighbours::{self, Neighbours};
use super::planting::{self, Ground};
use super::program::{self, Stage, Step};
use super::reads::{self, Reach};
use super::report::{ProbeReport, ProbeRow, Verdict};
use super::seed::{Canaries, Seeded, Who};
use super::site::Site;
use super::surroundings::{Fresh, Surroundings};
use super::trial::Trials;
use super::{around, copy, database, login, powers, writes};
use crate::error::{Error, Repr};
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

/// Tables of which the attempts travel in one round trip.
const TOGETHER: usize = 16;

pub(super) async fn probe(
    model: &Model,
    setting: Option<&Ident>,
    scopes: &Literal,
    login: Option<&PgConnectOptions>,
    conn: &mut PgConnection,
) -> Result<ProbeReport, Error> {
    let mut tx = conn.begin().await.map_err(Repr::Transaction)?;
    sql!("SET LOCAL search_path = pg_catalog").run(&mut tx).await.map_err(Repr::Read)?;
    let mut around = Surroundings::read(model, &mut tx).await?;
    let outcome = async {
        around.become_app(model, &mut tx).await?;
        if !around.app {
            return Ok((Vec::new(), None));
        }
        let facts = super::facts::read(model, &mut tx).await?;
        let neighbours = neighbours::read(model, &mut tx).await?;
        let fresh = Fresh::draw(&mut tx).await?;
        settle(model, &mut tx).await?;
        let committed =
            if login.is_some() { login::committed(model, &facts, &around, &mut tx).await? } else { Vec::new() };
        let context = fresh.context(setting, scopes, &around, &mut tx).await?;
        let mut run = Run { model, facts: &facts, around: &around, context, fresh: &fresh, rows: Vec::new() };
        Box::pin(run.all(&neighbours, &mut tx)).await?;
        let login = login::Wanted { context: run.context.clone(), committed, b: fresh.b.clone() };
        Ok((run.rows, Some(login)))
    };
    let (mut rows, wanted) = outcome.await.map_err(Repr::Probe)?;
    tx.rollback().await.map_err(Repr::Transaction)?;
    match (login, wanted) {
        (_, None) => rows.extend(nothing(model)),
        (Some(options), Some(wanted)) => rows.extend(Box::pin(login::rows(model, &around, &wanted, options)).await?),
        (None, Some(_)) => rows.extend(login::untested()),
    }
    rows.sort_by(|a, b| (a.attempt, &a.object).cmp(&(b.attempt, &b.object)));
    Ok(ProbeReport { schema: model.schema.as_str().to_owned(), rows })
}

/// What the attempts find set: names are looked up as the application would, nothing waits for long.
async fn settle(model: &Model, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let settings = sql!(
        "SET LOCAL search_path = {}, public, pg_temp; SET LOCAL lock_timeout = '2s'; SET LOCAL row_security = on; SET LOCAL jit = off;
         SET CONSTRAINTS ALL DEFERRED",
        model.schema
    );
    settings.run(conn).await
}

/// The report when the connected role cannot act as the application's.
fn nothing(model: &Model) -> Vec<ProbeRow> {
    let row = |attempt: &Attempt| ProbeRow {
        attempt: *attempt,
        object: model.schema.as_str().to_owned(),
        seen: "not tried".to_owned(),
        verdict: Verdict::Untested("the connected role cannot act as the application's".to_owned()),
    };
    Attempt::ALL.iter().map(row).collect()
}

struct Run<'a> {
    model: &'a Model,
    facts: &'a BTreeMap<String, Facts>,
    around: &'a Surroundings,
    context: Context,
    fresh: &'a Fresh,
    rows: Vec<ProbeRow>,
}

impl Run<'_> {
    async fn all(&mut self, neighbours: &Neighbours, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut canaries = Canaries {
            model: self.model,
            facts: self.facts,
            numbers: self.fresh.numbers,
            a: self.fresh.a.clone(),
            b: self.fresh.b.clone(),
            seeded: BTreeMap::new(),
        };
        let mut observed = interference::observed(neighbours, &canaries, &mut self.rows);
        self.observe(&mut observed, conn).await?;
        planting::plant(&self.ground(), Who::A, &mut canaries, conn).await?;
        self.observe(&mut observed, conn).await?;
        self.observe(&mut observed, conn).await?;
        planting::plant(&self.ground(), Who::B, &mut canaries, conn).await?;
        self.observe(&mut observed, conn).await?;
        self.rows.extend(observed.into_iter().map(Observed::row));
        let now = [sql!("SET CONSTRAINTS ALL IMMEDIATE")];
        copy::sequence(&now, &sql!("SELECT '0'"), conn).await?;
        planting::witness(&self.ground(), &mut canaries, conn).await?;
        self.tables(&canaries, conn).await?;
        self.database(neighbours, &canaries, conn).await
    }

    fn as_app(&self) -> Sql {
        sql!("SET LOCAL ROLE {}; {}", self.model.app, self.context.enter(Who::A))
    }

    fn stage(&self, enter: Sql) -> Stage {
        Stage { enter, marker: sql!("{}", self.fresh.b) }
    }

    fn ground(&self) -> Ground<'_> {
        Ground { model: self.model, around: self.around, context: &self.context }
    }

    async fn observe(&self, observed: &mut [Observed], conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let steps: Vec<Step> = observed.iter().flat_map(Observed::steps).collect();
        let seen = program::run(&self.stage(self.as_app()), &steps, conn).await?;
        for (observed, pair) in observed.iter_mut().zip(seen.chunks(2)) {
            observed.note(pair.iter().cloned());
        }
        Ok(())
    }

    async fn tables(&mut self, canaries: &Canaries<'_>, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let reach = Reach {
            reader: self.around.reader.then_some(&self.model.reader),
            owners: &self.around.owners,
            admin: &self.around.admin,
        };
        let mut sites = Vec::new();
        for table in self.model.tables.iter().filter(|table| table.tenant_column().is_some()) {
            let name = table.name.as_str();
            let object = [self.model.schema.as_str(), ".", name].concat();
            match canaries.seeded.get(name) {
                Some(Seeded::Rows { filling, ctid }) => sites.extend(Site::new(canaries, name, filling, ctid.as_ref())),
                Some(Seeded::Failed(why)) => self.unseeded(&object, why),
                None => self.unseeded(&object, "there is no such table, or it is of a kind that cannot be probed"),
            }
        }
        for batch in sites.chunks(TOGETHER) {
            self.batch(batch, reach, conn).await?;
        }
        Ok(())
    }

    fn unseeded(&mut self, object: &str, why: &str) {
        let kinds = Attempt::ALL.iter().filter(|attempt| attempt.scope() == Scope::Table && !attempt.is_conditional());
        self.rows.extend(kinds.map(|attempt| ProbeRow {
            attempt: *attempt,
            object: object.to_owned(),
            seen: "not tried".to_owned(),
            verdict: Verdict::Untested(why.to_owned()),
        }));
    }

    async fn batch(
        &mut self,
        sites: &[Site<'_>],
        reach: Reach<'_>,
        conn: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        let mut steps = Vec::new();
        let mut tables = Vec::new();
        for site in sites {
            let mut trials = Trials::on([self.model.schema.as_str(), ".", site.facts.name.as_str()].concat());
            reads::add(site, &self.context, reach, &mut trials);
            writes::add(site, &mut trials);
            powers::add(site, &self.context, reach, &mut trials);
            if self.around.has_actor {
                powers::add_read_only(site, &mut trials);
            }
            steps.extend(writes::controls(site).map(|body| Step { before: sql!(""), body }));
            steps.extend(trials.list.iter().map(|trial| trial.step.clone()));
            tables.push(trials);
        }
        let mut seen = program::run(&self.stage(self.as_app()), &steps, conn).await?.into_iter();
        let mut readable = Vec::new();
        for (site, trials) in sites.iter().zip(tables) {
            let mut controls = site.controls();
            for place in [&mut controls.read, &mut controls.insert, &mut controls.update, &mut controls.delete] {
                *place = seen.next().unwrap_or(Seen::Rows(0));
            }
            readable.push(matches!(controls.read, Seen::Rows(_)));
            let count = trials.list.len();
            let answers: Vec<Seen> = seen.by_ref().take(count).collect();
            self.judge(trials, &answers, Some(&controls));
        }
        self.copies(sites, &readable, conn).await
    }

    async fn copies(
        &mut self,
        sites: &[Site<'_>],
        readable: &[bool],
        conn: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        let enter = [sql!("SET LOCAL ROLE {}", self.model.app), self.context.enter(Who::A)];
        let open: Vec<&Site<'_>> =
            sites.iter().zip(readable).filter(|(_, readable)| **readable).map(|(site, _)| site).collect();
        let tables: Vec<Sql> = open.iter().map(|site| site.is(&site.b)).collect();
        let out = copy::out(&enter, &tables, conn).await?;
        let outcomes = open.iter().zip(out).map(|(site, seen)| (*site, seen));
        let closed = sites.iter().zip(readable).filter(|(_, readable)| !**readable);
        let refused =
            closed.map(|(site, _)| (site, Seen::Error { code: super::judge::REFUSED.to_owned(), names_b: false }));
        let all: Vec<(&Site<'_>, Seen)> = outcomes.chain(refused).collect();
        for (site, seen) in all {
            self.row(Attempt::CopyTo, &site.object(), Expect::NoRows(Control::None), &seen, None);
        }
        let tables: Vec<Sql> = sites.iter().map(|site| site.table.clone()).collect();
        let into = copy::into(&enter, &tables, conn).await?;
        for (site, seen) in sites.iter().zip(into) {
            self.row(Attempt::CopyFrom, &site.object(), Expect::Refused(Control::None, &["0A000"]), &seen, None);
        }
        Ok(())
    }

    async fn database(
        &mut self,
        neighbours: &Neighbours,
        canaries: &Canaries<'_>,
        conn: &mut PgConnection,
    ) -> Result<(), sqlx::Error> {
        let stage = self.stage(self.as_app());
        let bare = database::bare(self.model, &self.context, self.around);
        let steps: Vec<Step> = bare.list.iter().map(|trial| trial.step.clone()).collect();
        let seen = program::run(&stage, &steps, conn).await?;
        let plants = [Attempt::TempTable, Attempt::TempFunction, Attempt::CreateFunction, Attempt::CreateInPublic];
        let planted = |(trial, seen): (&super::trial::Trial, &Seen)| {
            plants.contains(&trial.attempt) && matches!(seen, Seen::Rows(_))
        };
        let plantable = bare.list.iter().zip(&seen).any(planted);
        self.judge(bare, &seen, None);

        let seeded = |table: &&crate::model::Table| {
            matches!(canaries.seeded.get(table.name.as_str()), Some(Seeded::Rows { .. }))
        };
        let site = self.model.tables.iter().find(seeded).and_then(|table| {
            let Some(Seeded::Rows { filling, ctid }) = canaries.seeded.get(table.name.as_str()) else { return None };
            Site::new(canaries, table.name.as_str(), filling, ctid.as_ref())
        });
        if let Some(site) = site {
            self.on_one(&site, &stage, conn).await?;
        } else {
            for attempt in database::NEED_ROWS {
                self.push(
                    attempt,
                    database::OBJECT,
                    "not tried",
                    Verdict::Untested("no table has canary rows".to_owned()),
                );
            }
        }
        let around = around::trials(neighbours, canaries, plantable);
        let steps: Vec<Step> =
            around.iter().flat_map(|trials| trials.list.iter().map(|trial| trial.step.clone())).collect();
        let mut seen = program::run(&stage, &steps, conn).await?.into_iter();
        for trials in around {
            let answers: Vec<Seen> = seen.by_ref().take(trials.list.len()).collect();
            self.judge(trials, &answers, None);
        }
        let usable = |object: &str| neighbours.sequences.iter().any(|s| s.usable && s.object == object);
        for row in &mut self.rows {
            if row.attempt == Attempt::Sequence && row.verdict == Verdict::Held && usable(&row.object) {
                row.verdict = Attempt::Sequence.closing_control().map_or(Verdict::Held, Verdict::Known);
                row.seen = "refused, but it may draw numbers".to_owned();
            }
        }
        Ok(())
    }

    async fn on_one(&mut self, site: &Site<'_>, stage: &Stage, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let trials = database::on(site, self.model, &self.context, self.around);
        let mut steps: Vec<Step> = writes::controls(site).map(|body| Step { before: sql!(""), body }).to_vec();
        steps.extend(trials.list.iter().map(|trial| trial.step.clone()));
        let mut seen = program::run(stage, &steps, conn).await?.into_iter();
        let mut controls = site.controls();
        for place in [&mut controls.read, &mut controls.insert, &mut controls.update, &mut controls.delete] {
            *place = seen.next().unwrap_or(Seen::Rows(0));
        }
        let answers: Vec<Seen> = seen.collect();
        self.judge(trials, &answers, Some(&controls));
        for (attempt, statements, query) in database::savepoints(site, self.model, &self.context) {
            let seen = copy::sequence(&statements, &query, conn).await?;
            self.row(attempt, database::OBJECT, Expect::NoRows(Control::Read), &seen, Some(&controls));
        }
        Ok(())
    }

    fn judge(&mut self, trials: Trials, seen: &[Seen], controls: Option<&Controls>) {
        for (trial, seen) in trials.list.into_iter().zip(seen) {
            self.row(trial.attempt, &trial.object, trial.expect, seen, controls);
        }
        for (attempt, why) in trials.untested {
            self.push(attempt, &trials.object, "not tried", Verdict::Untested(why));
        }
    }

    fn row(&mut self, attempt: Attempt, object: &str, expect: Expect, seen: &Seen, controls: Option<&Controls>) {
        let verdict = judge(attempt, expect, seen, controls);
        self.push(attempt, object, &seen.text(), verdict);
    }

    fn push(&mut self, attempt: Attempt, object: &str, seen: &str, verdict: Verdict) {
        self.rows.push(ProbeRow { attempt, object: object.to_owned(), seen: seen.to_owned(), verdict });
    }
}
