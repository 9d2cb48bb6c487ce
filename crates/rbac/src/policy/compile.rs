//! From the text of a policy to its roles, or to the list of all that is wrong with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::source::{PolicySource, RoleSource};
use super::{Policy, Role, closure};
use crate::permission::Permission;
use crate::problem::{Problem, nearest, shown};
use crate::scope::Scope;
use crate::scopes::Scopes;

/// A role whose names have been looked up.
pub(super) struct Draft<P: Permission> {
    pub(super) source: RoleSource,
    pub(super) parents: Vec<usize>,
    pub(super) grants: Vec<(P, Scope)>,
}

pub(super) fn compile<P: Permission>(text: &str) -> Result<Vec<Role<P>>, Vec<Problem>> {
    if text.len() > Policy::<P>::MAX_SOURCE_BYTES {
        return Err(vec![Problem::TooLarge { what: "more than 4 MiB of text" }]);
    }
    let PolicySource { roles } = PolicySource::parse(text).map_err(|problem| vec![problem])?;
    if roles.len() > Policy::<P>::MAX_ROLES {
        return Err(vec![Problem::TooLarge { what: "more than 4096 roles" }]);
    }
    if roles.is_empty() {
        return Err(vec![Problem::NoRole]);
    }

    let mut problems = Vec::new();
    let drafts = resolve(roles, &mut problems);
    let scopes = closure::close(&drafts, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let roles = drafts.into_iter().zip(scopes).map(|(Draft { source, .. }, scopes)| Role {
        name: source.name,
        title: source.title,
        staff: source.staff,
        assignable: source.assignable,
        scopes,
    });
    Ok(roles.collect())
}

/// Looks up every name.
fn resolve<P: Permission>(roles: Vec<RoleSource>, problems: &mut Vec<Problem>) -> Vec<Draft<P>> {
    let keys: HashMap<&str, P> = P::ALL.iter().map(|&perm| (perm.key(), perm)).collect();
    let mut names = BTreeMap::new();
    for (index, role) in roles.iter().enumerate() {
        check_texts(role, problems);
        if names.contains_key(&role.name) {
            problems.push(Problem::DuplicateRole { role: shown(&role.name) });
        } else {
            names.insert(role.name.clone(), index);
        }
    }
    let draft = |source: RoleSource| Draft {
        parents: parents_of(&source, &names, problems),
        grants: grants_of(&source, &keys, problems),
        source,
    };
    roles.into_iter().map(draft).collect()
}

fn check_texts(role: &RoleSource, problems: &mut Vec<Problem>) {
    let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    if !(1..=64).contains(&role.name.len()) || !role.name.chars().all(plain) {
        problems.push(Problem::InvalidName { role: shown(&role.name) });
    }
    if let Some(title) = &role.title
        && (title.trim().is_empty() || title.chars().count() > 80 || title.chars().any(char::is_control))
    {
        problems.push(Problem::InvalidTitle { role: shown(&role.name) });
    }
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
fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>, problems: &[Problem]) -> Option<String> {
    if problems.len() < 64 { nearest(name, known).map(shown) } else { None }
}
