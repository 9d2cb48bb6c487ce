//! The ways to reach a row, which all three forms of a filter are made of.

use super::{Rows, Shared};
use crate::permission::Kind;
use crate::resource::Resource;
use crate::scope::Scope;
use crate::subject::Subject;

/// One way to reach a row of the tenant: from which scope on, and through what.
#[derive(Clone, Copy)]
pub(super) struct Arm {
    pub(super) from: Scope,
    pub(super) through: Through,
}

/// What a row and a person have in common. Names the column.
#[derive(Clone, Copy)]
pub(super) enum Through {
    Tenant,
    Owner(&'static str),
    Team(&'static str),
    Office(&'static str),
    Share(Shared),
}

impl Rows {
    /// All ways, the one that ends the search first.
    pub(super) fn arms(&self) -> impl Iterator<Item = Arm> {
        let arm = |from, through| Arm { from, through };
        [
            Some(arm(Scope::Tenant, Through::Tenant)),
            self.owner.map(|column| arm(Scope::Own, Through::Owner(column))),
            self.team.map(|column| arm(Scope::Team, Through::Team(column))),
            self.office.map(|column| arm(Scope::Office, Through::Office(column))),
            // A share widens what a permission reaches, at any scope but none.
            self.shared.map(|shared| arm(Scope::Own, Through::Share(shared))),
        ]
        .into_iter()
        .flatten()
    }
}

impl Through {
    /// Whether this joins a row of the tenant to the person.
    pub(super) fn joins(self, row: &Resource, subject: &Subject, kind: Kind) -> bool {
        match self {
            Self::Tenant => true,
            Self::Owner(_) => row.is_owned_by(subject),
            Self::Team(_) => row.is_of_team(subject),
            Self::Office(_) => row.is_of_office(subject),
            Self::Share(_) => row.is_shared_with(subject, kind),
        }
    }
}
