//! From the text of a policy to its roles, or to the list of all that is wrong with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::closure::Closed;
use super::source::{PolicySource, RoleSource};
use super::{Policy, Role, Roles, assigns, closure, separate};
use crate::permission::Permission;
use crate::problem::{Problem, nearest, shown};
use crate::scope::Scope;
use crate::scopes::Scopes;
use crate::version::PolicyVersion;

/// A role whose names have been looked up.
pub(super) struct Draft<P: Permission> {
    pub(super) source: RoleSource,
    pub(super) parents: Vec<usize>,
    pub(super) grants: Vec<(P, Scope)>,
    pub(super) assigns: Vec<usize>,
}

pub(super) fn compile<P: Permission>(text: &str) -> Result<Roles<P>, Vec<Problem>> {
    if text.len() > Policy::<P>::MAX_SOURCE_BYTES {
        return Err(vec![Problem::TooLarge { what: "more than 4 MiB of text" }]);
    }
    let PolicySource { roles, separations } = PolicySource::parse(text).map_err(|problem| vec![problem])?;
    if roles.len() > Policy::<P>::MAX_ROLES {
        return Err(vec![Problem::TooLarge { what: "more than 4096 roles" }]);
    }
    if separations.len() > Policy::<P>::MAX_SEPARATIONS {
        return Err(vec![Problem::TooLarge { what: "more than 256 separations" }]);
    }
    if roles.is_empty() {
        return Err(vec![Problem::NoRole]);
    }

    let mut problems = Vec::new();
    let keys: HashMap<&str, P> = P::ALL.iter().map(|&perm| (perm.key(), perm)).collect();
    let names = names_of(&roles, &mut problems);
    let draft = |source: RoleSource| Draft {
        parents: parents_of(&source, &names, &mut problems),
        grants: grants_of(&source, &keys, &mut problems),
        assigns: assigns::assigns_of(&source, &names, &mut problems),
        source,
    };
    let drafts: Vec<_> = roles.into_iter().map(draft).collect();
    let separations = separate::separations_of(separations, &names, &keys, &mut problems);
    let Closed { scopes, included, assigns } = closure::close(&drafts, &mut problems);
    assigns::check_assigns(&drafts, &scopes, &mut problems);
    separate::check_separations(&separations, &drafts, &included, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let limits_assigning = drafts.iter().any(|draft| draft.source.assigns.is_some());
    let closed = scopes.into_iter().zip(included).zip(assigns);
    let roles = drafts.into_iter().zip(closed).map(|(Draft { source, .. }, ((scopes, included), assigns))| Role {
        name: source.name,
        title: source.title,
        staff: source.staff,
        owner: source.owner,
        assignable: source.assignable,
        scopes,
        included,
        assigns,
    });
    Ok(Roles {
        in_order: roles.collect(),
        by_name: names.into_iter().collect(),
        separations,
        limits_assigning,
        version: PolicyVersion::of(text),
    })
}

/// The position of each role, by its name.
fn names_of(roles: &[RoleSource], problems: &mut Vec<Problem>) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (index, role) in roles.iter().enumerate() {
        check_texts(role, problems);
        if names.contains_key(&role.name) {
            problems.push(Problem::DuplicateRole { role: shown(&role.name) });
        } else {
            names.insert(role.name.clone(), index);
        }
    }
    names
}

fn check_texts(role: &RoleSource, problems: &mut Vec<Problem>) {
    if !plain(&role.name) {
        problems.push(Problem::InvalidName { role: shown(&role.name) });
    }
    if let Some(title) = &role.title
        && (title.trim().is_empty() || title.chars().count() > 80 || title.chars().any(char::is_control))
    {
        problems.push(Problem::InvalidTitle { role: shown(&role.name) });
    }
}

/// Whether this may be the name of a role or of a separation.
pub(super) fn plain(name: &str) -> bool {
    let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(plain)
}

fn parents_of(role: &RoleSource, names: &BTreeMap<String, usize>, problems: &mut Vec<Problem>) -> Vec<usize> {
    let mut seen = HashSet::new();
    let mut parents = Vec::new();
    for parent in &role.inherits {
        if !seen.insert(parent) {
            problems.push(Problem::DuplicateParent { role: shown(&role.name), parent: shown(parent) });
        } else if let Some(&index) = names.get(parent) {
            parents.push(index);
        } else {
            let suggestion = suggest(parent, names.keys().map(String::as_str), problems);
            problems.push(Problem::UnknownParent { role: shown(&role.name), parent: shown(parent), suggestion });
        }
    }
    parents
}

fn grants_of<P: Permission>(
    role: &RoleSource,
    keys: &HashMap<&str, P>,
    problems: &mut Vec<Problem>,
) -> Vec<(P, Scope)> {
    let name = || shown(&role.name);
    let mut seen = Scopes::none();
    let mut grants = Vec::new();
    for (scope_name, permissions) in &role.grants {
        let scope = Scope::from_name(scope_name).filter(|scope| *scope != Scope::None);
        if scope.is_none() {
            problems.push(Problem::UnknownScope { role: name(), scope: shown(scope_name) });
        }
        for key in permissions {
            let Some(&perm) = keys.get(key.as_str()) else {
                let suggestion = suggest(key, keys.keys().copied(), problems);
                problems.push(Problem::UnknownPermission { role: name(), permission: shown(key), suggestion });
                continue;
            };
            let (permission, max) = (perm.key(), perm.info().up_to());
            if seen.scope(perm) != Scope::None {
                problems.push(Problem::DuplicateGrant { role: name(), permission });
                continue;
            }
            seen = seen.with(perm, Scope::Own);
            let Some(scope) = scope else { continue };
            if scope > max {
                problems.push(Problem::ScopeTooWide { role: name(), permission, scope, max });
            }
            grants.push((perm, scope));
        }
    }
    grants
}

/// A name that was probably meant. A file of nothing but mistakes gets it for the first few: finding one compares every name.
pub(super) fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>, problems: &[Problem]) -> Option<String> {
    if problems.len() < 64 { nearest(name, known).map(shown) } else { None }
}
