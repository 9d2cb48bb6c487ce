//! Which values are personal, declared once for all entries of a kind.

use std::{collections::BTreeMap, sync::Arc};

/// The personal values of each action and entity type, as JSON Pointers (RFC 6901). Made once and given to every entry with
/// [`Entry::personal_by`](crate::Entry::personal_by), so that no call site can forget one. Cloning is cheap.
///
/// ```
/// use serde_json::json;
/// use stockade_audit_chain::{Actor, Entry, PersonalPaths, TenantId};
/// # let tenant = TenantId::from(uuid::Uuid::nil());
///
/// let paths = PersonalPaths::new().entity("driver", &["/ssn", "/name"]).action("load.assign", &["/driver_phone"]);
/// let entry = Entry::new(tenant, Actor::user(7), "driver.update")
///     .personal_by(&paths)
///     .entity("driver", 3)
///     .after(json!({"ssn": "078-05-1120", "state": "TX"}));
/// let record = entry.record_at(chrono::Utc::now())?;
/// assert_eq!(record.personal_paths(), ["after/ssn"]);
/// # Ok::<_, stockade_audit_chain::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalPaths {
    actions: Arc<BTreeMap<String, Vec<String>>>,
    entities: Arc<BTreeMap<String, Vec<String>>>,
}

impl PersonalPaths {
    /// No personal value but those that always are: address, user agent and the actor's name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds values that are personal in every entry of this action.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>, pointers: &[&str]) -> Self {
        add(&mut self.actions, action.into(), pointers);
        self
    }

    /// Adds values that are personal in every entry about an entity of this type.
    #[must_use]
    pub fn entity(mut self, kind: impl Into<String>, pointers: &[&str]) -> Self {
        add(&mut self.entities, kind.into(), pointers);
        self
    }

    /// What is declared for an action and a type.
    pub(crate) fn of(&self, action: &str, kind: Option<&str>) -> impl Iterator<Item = &String> {
        let entity = kind.and_then(|kind| self.entities.get(kind));
        self.actions.get(action).into_iter().chain(entity).flatten()
    }
}

fn add(paths: &mut Arc<BTreeMap<String, Vec<String>>>, name: String, pointers: &[&str]) {
    let pointers = pointers.iter().map(|&pointer| pointer.to_owned());
    Arc::make_mut(paths).entry(name).or_default().extend(pointers);
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::{Actor, Entry, TenantId};

    #[test]
    fn what_is_declared_is_personal_in_whatever_order_the_entry_is_built() {
        let paths = PersonalPaths::new()
            .entity("driver", &["/ssn"])
            .entity("driver", &["/phone"])
            .action("driver.update", &["/note"]);
        let state = json!({"ssn": 1, "phone": 2, "note": 3, "own": 4, "public": 5});
        let entry = |action| Entry::new(TenantId::from(uuid::Uuid::nil()), Actor::user(1), action);
        let found = |entry: &Entry| {
            let record = entry.record_at(DateTime::UNIX_EPOCH).unwrap();
            record.personal_paths().join(" ")
        };
        let first =
            entry("driver.update").personal_by(&paths).personal(&["/own"]).entity("driver", 7).after(state.clone());
        let last =
            entry("driver.update").after(state.clone()).entity("driver", 7).personal(&["/own"]).personal_by(&paths);
        for entry in [first, last] {
            assert_eq!(found(&entry), "after/note after/own after/phone after/ssn");
        }
        assert_eq!(
            found(&entry("driver.show").personal_by(&paths).entity("driver", 7).after(state.clone())),
            "after/phone after/ssn"
        );
        assert_eq!(found(&entry("load.update").personal_by(&paths).entity("load", 7).after(state)), "");
    }
}
