//! The views of the tenant's context, and the leases behind them.

use super::Lock;
use super::steps::{Steps, drop_if_unused};
use crate::catalogue::{Catalogue, STOCKADE_OWNER};
use crate::context::{self, Context, View};
use crate::error::{Error, Names, Repr};
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

const CATALOGUE: Lock = Lock::Catalogue;

/// A declaration of settings would weaken every schema of a database that has leases.
pub(super) fn refuse(model: &Model, catalogue: &Catalogue) -> Result<(), Error> {
    let lowers = model.context == Context::Setting && catalogue.context.is(Context::Lease);
    if lowers { Err(Repr::Lowers(Names(catalogue.context.schemas.clone())).into()) } else { Ok(()) }
}

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    for view in View::ALL {
        plan_view(view, catalogue, steps);
    }
    if model.context == Context::Lease {
        plan_lease(model, catalogue, steps);
    }
}

fn plan_view(view: View, catalogue: &Catalogue, steps: &mut Steps) {
    let found = catalogue.context.view(view);
    let name = sql!("stockade.{}", Ident::own(view.name()));
    if found.is_none() {
        let create = match view {
            View::Tenant => sql!(
                "CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;"
            ),
            View::Actor => sql!(
                "CREATE VIEW stockade.current_actor AS SELECT nullif(current_setting('stockade.actor_id', true), '')::uuid AS actor_id,
      coalesce(current_setting('stockade.actor_scopes', true), '') AS scopes,
      coalesce(nullif(current_setting('stockade.read_only', true), '')::boolean, false) AS read_only;"
            ),
        };
        let absent = Literal(["stockade.", view.name()].concat());
        let body = sql!("\nBEGIN\n  IF to_regclass({}) IS NULL THEN\n    {}\n  END IF;\nEND\n", absent, create);
        let note = match view {
            View::Tenant => "The one place that reads the tenant's context; policies compare with it.",
            View::Actor => "The one place that reads who acts, and whether they may only read.",
        };
        let down = drop_if_unused(&sql!("DROP VIEW {}", name));
        steps.step(CATALOGUE, note, sql!("DO {}", body.dollar_quoted()), down);
    }
    if found.is_none_or(|found| found.owner != STOCKADE_OWNER) {
        let note = "The view's owner is nobody's login. Not undone by down: other crates share the view.";
        steps.one_way(CATALOGUE, note, sql!("ALTER VIEW {} OWNER TO stockade_owner", name));
    }
    if found.is_none_or(|found| !found.readable) {
        let note = "A policy reads the view as the role that runs the statement. Not undone by down.";
        steps.one_way(CATALOGUE, note, sql!("GRANT SELECT ON {} TO PUBLIC", name));
    }
}

fn plan_lease(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let facts = &catalogue.context;
    for stranger in &facts.strangers {
        let role = match stranger.as_ref().map(Ident::new) {
            Some(Ok(role)) => sql!("{}", role),
            Some(Err(_)) => continue,
            None => sql!("PUBLIC"),
        };
        steps.one_way(
            CATALOGUE,
            "Nobody but the minter reaches the leases, and only through its functions.",
            revoke(&role),
        );
    }
    if !facts.lease || !facts.strangers.is_empty() {
        let note = "The leases by the digest of their secret, and the functions that mint and revoke them.";
        steps.one_way(CATALOGUE, note, context::lease());
    }
    if !facts.is(Context::Lease) {
        let note = "From here on a tenant needs a lease: whoever sets only stockade.tenant_id sees no rows. Holds for every schema of this database.";
        steps.one_way(CATALOGUE, note, context::raise());
    }
    let schema = Literal::of(&model.schema);
    if !facts.schemas.contains(&schema.0) {
        let up = sql!("INSERT INTO stockade.lease_schema (name) VALUES ({}) ON CONFLICT DO NOTHING", schema);
        steps.step(
            CATALOGUE,
            "This schema relies on leases; the last one to leave takes them along.",
            up,
            leave(&schema),
        );
    }
}

fn revoke(role: &Sql) -> Sql {
    let body = sql!(
        "
BEGIN
  IF to_regclass('stockade.tenant_lease') IS NOT NULL THEN
    REVOKE ALL ON stockade.tenant_lease, stockade.lease_schema FROM {role} CASCADE;
  END IF;
  IF to_regproc('stockade.mint_lease') IS NOT NULL THEN
    REVOKE ALL ON ROUTINE stockade.mint_lease, stockade.revoke_lease FROM {role} CASCADE;
  END IF;
END
",
        role = role
    );
    sql!("DO {}", body.dollar_quoted())
}

fn leave(schema: &Literal) -> Sql {
    let body = sql!(
        "
BEGIN
  IF to_regclass('stockade.lease_schema') IS NULL THEN
    RETURN;
  END IF;
  DELETE FROM stockade.lease_schema WHERE name = {};
  IF NOT EXISTS (SELECT FROM stockade.lease_schema s JOIN pg_catalog.pg_namespace n ON n.nspname = s.name) THEN
{};
  END IF;
END
",
        schema,
        context::lower()
    );
    sql!("DO {}", body.dollar_quoted())
}
