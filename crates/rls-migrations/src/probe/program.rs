//! Many attempts in one round trip.
//!
//! A program is one `DO` statement that runs each step in a subtransaction of its own and rolls it back, also when it
//! succeeded: the number of rows is carried out of the block by the exception that ends it. Role and context are set inside an
//! outer subtransaction that ends in the same way, so nothing that a step does survives it, whatever the step was.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::judge::Seen;
use crate::ident::Literal;
use crate::sql::{Sql, sql};

/// What one step does and what is taken for its answer.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A query that gives one number.
    Query(Sql),
    /// A statement; its answer is how many rows it touched.
    Change(Sql),
    /// A query whose rows are fetched through a cursor; its answer is whether there was one.
    Cursor(Sql),
    /// A query that gives one number, run as a generic plan, and run again after other settings.
    Prepared { query: Sql, between: Sql },
}

/// One step, and what has to be set before it: statements, each with its semicolon.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) before: Sql,
    pub(super) body: Body,
}

/// Who runs a program, and in whose context.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// `SET LOCAL ..` statements.
    pub(super) enter: Sql,
    /// Text to find in messages: tenant B, or NULL.
    pub(super) marker: Sql,
}

/// Runs the steps. Queries with the same settings are asked in one statement; where that statement fails, each is asked again alone.
pub(super) async fn run(stage: &Stage, steps: &[Step], conn: &mut PgConnection) -> Result<Vec<Seen>, sqlx::Error> {
    let mut seen: Vec<Option<Seen>> = vec![None; steps.len()];
    let groups = group(steps);
    let texts = groups.iter().map(|group| together(steps, group)).collect();
    let answers = execute(stage, texts, conn).await?;
    let mut again = Vec::new();
    for (group, answer) in groups.iter().zip(&answers) {
        match (read(answer), group.len()) {
            (Some(numbers), size) if numbers.len() == size => {
                for (position, number) in group.iter().zip(numbers) {
                    put(&mut seen, *position, Seen::Rows(number));
                }
            }
            (_, 1) => group.iter().for_each(|position| put(&mut seen, *position, error(answer))),
            _ => again.extend(group),
        }
    }
    let alone: Vec<Vec<usize>> = again.iter().map(|position| vec![*position]).collect();
    let texts: Vec<Literal> = alone.iter().map(|group| together(steps, group)).collect();
    if !texts.is_empty() {
        let answers = execute(stage, texts, conn).await?;
        for (position, answer) in again.into_iter().zip(&answers) {
            let outcome = read(answer).and_then(|numbers| numbers.first().copied()).map(Seen::Rows);
            put(&mut seen, position, outcome.unwrap_or_else(|| error(answer)));
        }
    }
    Ok(seen.into_iter().map(|seen| seen.unwrap_or_else(|| error("?"))).collect())
}

fn put(seen: &mut [Option<Seen>], position: usize, outcome: Seen) {
    if let Some(place) = seen.get_mut(position) {
        *place = Some(outcome);
    }
}

/// Queries with the same settings, which are asked together; everything else is alone. As every step is undone, their order does not
/// matter.
fn group(steps: &[Step]) -> Vec<Vec<usize>> {
    const MOST: usize = 40;
    let mut alone = Vec::new();
    let mut together: BTreeMap<&str, Vec<Vec<usize>>> = BTreeMap::new();
    for (position, step) in steps.iter().enumerate() {
        if !matches!(step.body, Body::Query(_)) {
            alone.push(vec![position]);
            continue;
        }
        let groups = together.entry(step.before.as_str()).or_default();
        match groups.last_mut() {
            Some(group) if group.len() < MOST => group.push(position),
            _ => groups.push(vec![position]),
        }
    }
    alone.extend(together.into_values().flatten());
    alone
}

/// A step's text: a letter for what it is, and the statements.
fn together(steps: &[Step], group: &[usize]) -> Literal {
    let mut members = group.iter().filter_map(|position| steps.get(*position));
    let Some(first) = members.next() else { return Literal(String::new()) };
    let text = match &first.body {
        Body::Query(query) => {
            let rest = members.filter_map(|step| match &step.body {
                Body::Query(query) => Some(sql!("({})", query)),
                _ => None,
            });
            let all = Sql::list(std::iter::once(sql!("({})", query)).chain(rest));
            sql!("q{} SELECT pg_catalog.concat_ws(',', {})", first.before, all)
        }
        Body::Change(change) => sql!("d{} {}", first.before, change),
        Body::Cursor(query) => sql!("c{} {}", first.before, query),
        Body::Prepared { query, between } => sql!(
            "p{} SET LOCAL plan_cache_mode = force_generic_plan; PREPARE stockade_probe AS {};
             EXECUTE stockade_probe; {} EXECUTE stockade_probe",
            first.before,
            query,
            between
        ),
    };
    Literal(text.as_str().to_owned())
}

async fn execute(stage: &Stage, texts: Vec<Literal>, conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let body = sql!(
        "
DECLARE
  program text[] := ARRAY[{program}];
  seen text[] := '{{}}';
  step text;
  answer text;
  affected bigint;
  rows refcursor;
BEGIN
  BEGIN
    EXECUTE {enter};
    FOREACH step IN ARRAY program LOOP
      answer := NULL;
      BEGIN
        CASE pg_catalog.left(step, 1)
          WHEN 'q', 'p' THEN
            EXECUTE pg_catalog.substr(step, 2) INTO answer;
          WHEN 'c' THEN
            OPEN rows FOR EXECUTE pg_catalog.substr(step, 2);
            FETCH rows INTO answer;
            answer := CASE WHEN FOUND THEN '1' ELSE '0' END;
          ELSE
            EXECUTE pg_catalog.substr(step, 2);
            GET DIAGNOSTICS affected = ROW_COUNT;
            answer := affected;
        END CASE;
        RAISE EXCEPTION SQLSTATE 'SP000';
      EXCEPTION
        WHEN SQLSTATE 'SP000' THEN
          seen := pg_catalog.array_append(seen, pg_catalog.concat('=', answer));
        WHEN OTHERS THEN
          seen := pg_catalog.array_append(seen,
            pg_catalog.concat(SQLSTATE, CASE WHEN pg_catalog.strpos(SQLERRM, {marker}) > 0 THEN '!' END));
      END;
      IF pg_catalog.left(step, 1) = 'p' THEN
        -- A prepared statement is the session's: no rollback takes it away.
        BEGIN
          DEALLOCATE stockade_probe;
        EXCEPTION WHEN OTHERS THEN
          NULL;
        END;
      END IF;
    END LOOP;
    RAISE EXCEPTION SQLSTATE 'SP000';
  EXCEPTION
    WHEN SQLSTATE 'SP000' THEN
      NULL;
  END;
  EXECUTE pg_catalog.format('SET LOCAL stockade.probe_seen = %L', pg_catalog.array_to_string(seen, ' '));
END
",
        program = Sql::list(texts),
        enter = Literal(stage.enter.as_str().to_owned()),
        marker = stage.marker,
    );
    let program = sql!("DO {}; SELECT pg_catalog.current_setting('stockade.probe_seen')", body.dollar_quoted());
    let answer = program.answer(conn).await?;
    Ok(answer.split(' ').map(str::to_owned).collect())
}

/// The numbers of an answer; `None` when it is an error.
fn read(answer: &str) -> Option<Vec<i64>> {
    answer.strip_prefix('=')?.split(',').map(|number| number.parse().ok()).collect()
}

fn error(answer: &str) -> Seen {
    let code = answer.strip_suffix('!').unwrap_or(answer);
    Seen::Error { code: code.to_owned(), names_b: answer.ends_with('!') }
}
