//! Roles by permissions, for people.

use std::fmt::Write as _;

use serde::Serialize;

use super::canonical::{self, RoleJson};
use super::text::{csv, markdown};
use crate::permission::Permission;
use crate::policy::Role;
use crate::scope::Scope;

/// Which role has which permission, and how far: a row per role, a column per permission, a scope in each cell.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, P: Permission> {
    roles: &'a [Role<P>],
}

/// One row of a [`Matrix`].
#[derive(Clone, Copy, Debug)]
pub struct MatrixRow<'a, P: Permission> {
    role: &'a Role<P>,
}

impl<'a, P: Permission> Matrix<'a, P> {
    /// What the letters of [`Scope::letter`] stand for, for the foot of a table.
    pub const LEGEND: &'static str = "O own, T team, F office, A all of the tenant, P platform, - none";

    pub(crate) const fn new(roles: &'a [Role<P>]) -> Self {
        Self { roles }
    }

    /// The head of the columns, in the order of the vocabulary.
    #[must_use]
    pub const fn permissions(&self) -> &'static [P] {
        P::ALL
    }

    /// The rows, in the order of the policy file.
    #[must_use]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = MatrixRow<'a, P>> + use<'a, P> {
        self.roles.iter().map(|role| MatrixRow { role })
    }

    /// A Markdown table with the legend below it.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| role |");
        for permission in P::ALL {
            let _ = write!(text, " `{}` |", permission.key());
        }
        text.push_str("\n|---|");
        text.extend(P::ALL.iter().map(|_| ":-:|"));
        for row in self.rows() {
            let _ = write!(text, "\n| {} |", markdown(row.role().title()));
            for scope in row.scopes() {
                let _ = write!(text, " {} |", scope.letter());
            }
        }
        let _ = write!(text, "\n\n{}\n", Self::LEGEND);
        text
    }

    /// Comma-separated values (RFC 4180) with the names of the scopes, and an empty cell for none.
    ///
    /// A cell that a spreadsheet would take for a formula (CWE-1236) begins with an apostrophe.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::from("role,title");
        for permission in P::ALL {
            let _ = write!(text, ",{}", csv(permission.key()));
        }
        text.push_str("\r\n");
        for row in self.rows() {
            let _ = write!(text, "{},{}", csv(row.role().name()), csv(row.role().title()));
            for scope in row.scopes() {
                text.push(',');
                text.push_str(if scope == Scope::None { "" } else { scope.name() });
            }
            text.push_str("\r\n");
        }
        text
    }

    /// JSON: the keys of the permissions in the order of the vocabulary, and the roles in the order of the file, each with the
    /// scopes that it has and its flags.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct MatrixJson<'a> {
            permissions: Vec<&'static str>,
            roles: Vec<RoleJson<'a>>,
        }
        let permissions = P::ALL.iter().map(|permission| permission.key()).collect();
        canonical::json(&MatrixJson { permissions, roles: self.roles.iter().map(RoleJson::named).collect() })
    }
}

impl<'a, P: Permission> MatrixRow<'a, P> {
    /// The role of the row.
    #[must_use]
    pub const fn role(&self) -> &'a Role<P> {
        self.role
    }

    /// The cells, in the order of the columns.
    #[must_use]
    pub fn scopes(&self) -> impl ExactSizeIterator<Item = Scope> + use<'a, P> {
        let role = self.role;
        P::ALL.iter().map(move |&permission| role.scope(permission))
    }
}
