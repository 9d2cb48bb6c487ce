//! Keys within the tenant.

use std::collections::BTreeSet;

use super::{Model, contradiction};
use crate::error::Error;
use crate::ident::Ident;
use crate::schema::{Declared, Schema};

impl Model {
    pub(super) fn declare_keys(&mut self, schema: &Schema) -> Result<(), Error> {
        for statement in &schema.statements {
            let Declared::UniquePerTenant { table, columns } = statement else { continue };
            let columns = columns.iter().map(Ident::new).collect::<Result<Vec<_>, _>>()?;
            let entry = self.entry_or_tenant(table)?;
            let Some(tenant) = entry.tenant_column() else {
                return Err(contradiction(&entry.name, "a key within the tenant needs a tenant table"));
            };
            let distinct: BTreeSet<&Ident> = columns.iter().collect();
            if columns.is_empty() || distinct.len() < columns.len() || distinct.contains(tenant) {
                return Err(contradiction(&entry.name, "a key needs columns beside the tenant's, each once"));
            }
            entry.unique.push(columns);
        }
        Ok(())
    }
}
