//! What PostgreSQL's catalogue says about one schema, read in a fixed number of queries.
//!
//! Everything is read with `search_path = pg_catalog`, so that expressions come back with qualified names, and each
//! catalogue table is named with its schema, so that a temporary table cannot stand in for it.

mod context;
mod defaults;
mod grant;
mod key;
mod period_event;
mod policy;
mod relation;
mod role;
mod shared;
mod surroundings;
mod trigger;

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection};

use crate::error::{Error, Repr};
use crate::model::Model;

pub(crate) use context::ContextFacts;
pub(crate) use defaults::Defaults;
pub(crate) use grant::{Grant, Grants};
pub(crate) use key::{ForeignKey, Index};
pub(crate) use period_event::PeriodEvent;
pub(crate) use policy::{Command, Policy};
pub(crate) use relation::{Column, Relation, RelationKind, Sequence};
pub(crate) use role::Role;
pub(crate) use shared::{Function, OWNER as STOCKADE_OWNER, Shared};
pub(crate) use surroundings::{Execute, MAY_CREATE_BACKUP, SchemaFacts, Server, Surroundings, View};
pub(crate) use trigger::Trigger;

#[derive(Debug)]
pub(crate) struct Catalogue {
    pub(crate) server: Server,
    /// `None` when the schema does not exist.
    pub(crate) schema: Option<SchemaFacts>,
    pub(crate) relations: BTreeMap<String, Relation>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) shared: Shared,
    pub(crate) context: ContextFacts,
    pub(crate) defaults: Vec<Defaults>,
    pub(crate) surroundings: Surroundings,
}

impl Catalogue {
    /// Reads the catalogue, and gives the model the partitions and children that it finds there.
    pub(crate) async fn read(mut model: Model, conn: &mut PgConnection) -> Result<(Model, Self), Error> {
        let catalogue = Self::read_in_transaction(&model, conn).await.map_err(Repr::Read)?;
        model.adopt_children(&catalogue);
        Ok((model, catalogue))
    }

    pub(crate) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.get(name)
    }

    async fn read_in_transaction(model: &Model, conn: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let mut tx = conn.begin().await?;
        sqlx::raw_sql("SET LOCAL search_path = pg_catalog").execute(&mut *tx).await?;
        let schema = model.schema.as_str();
        let mut relations = relation::read(schema, &mut tx).await?;
        policy::read(schema, &mut relations, &mut tx).await?;
        trigger::read(schema, &mut relations, &mut tx).await?;
        grant::read(schema, &mut relations, &mut tx).await?;
        key::read(schema, &mut relations, &mut tx).await?;
        let catalogue = Self {
            server: surroundings::read_server(&mut tx).await?,
            schema: surroundings::read_schema(schema, &mut tx).await?,
            relations,
            roles: role::read(model, &mut tx).await?,
            shared: shared::read(&mut tx).await?,
            context: context::read(&mut tx).await?,
            defaults: defaults::read(model, &mut tx).await?,
            surroundings: surroundings::read(model, &mut tx).await?,
        };
        // Not a commit: the search path must not outlive this reading inside a caller's transaction.
        tx.rollback().await?;
        Ok(catalogue)
    }
}
