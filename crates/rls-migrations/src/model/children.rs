//! Partitions, and children by inheritance, of what is declared.

use super::{Kind, Model, Table};
use crate::catalogue::{Catalogue, Relation};
use crate::ident::Ident;

impl Model {
    /// Adds the partitions and the children by inheritance of declared tables, except those that are declared themselves. A
    /// child goes with its only parent, but no role gets a privilege on it: PostgreSQL asks for none below the table that a statement names.
    pub(crate) fn adopt_children(&mut self, catalogue: &Catalogue) {
        let mut orphans: Vec<(&String, &Relation)> = catalogue
            .relations
            .iter()
            .filter(|(name, relation)| relation.parents.len() == 1 && self.table(name).is_none())
            .collect();
        // Partitions of partitions: once more for each level.
        loop {
            let before = orphans.len();
            orphans.retain(|(name, relation)| !self.adopt(name, relation));
            if orphans.len() == before {
                return;
            }
        }
    }

    fn adopt(&mut self, name: &str, relation: &Relation) -> bool {
        let mut parents = relation.parents.iter().filter(|(schema, _)| schema == self.schema.as_str());
        let parent = parents.find_map(|(_, parent)| self.table(parent));
        let (Some(parent), Ok(name)) = (parent, Ident::new(name)) else { return false };
        let child = parent.child(name, relation);
        self.tables.push(child);
        true
    }
}

impl Table {
    fn child(&self, name: Ident, relation: &Relation) -> Self {
        let kind = match &self.kind {
            Kind::Tenant { column, parent } => {
                // PostgreSQL hands foreign keys down to partitions, and not to other children.
                let parent = parent.clone().filter(|_| !relation.partition);
                Kind::Tenant { column: column.clone(), parent }
            }
            kind => kind.clone(),
        };
        Self { name, kind, child_of: Some(self.root().clone()), app_may: [].into(), ..self.clone() }
    }

    /// The declared table that this one belongs to: itself, unless it is a partition or another child.
    pub(crate) fn root(&self) -> &Ident {
        self.child_of.as_ref().unwrap_or(&self.name)
    }
}
