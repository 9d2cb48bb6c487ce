//! What each role has in the end, and the problems that show only then.

use super::compile::Draft;
use super::lineage::Lineage;
use super::roleset::RoleSet;
use crate::permission::{Kind, Permission};
use crate::problem::{Problem, shown};
use crate::scope::Scope;
use crate::scopes::Scopes;

/// All that each role has, by its own lines and by what it inherits, in the order of the drafts.
pub(super) struct Closed<P: Permission> {
    pub(super) scopes: Vec<Scopes<P>>,
    /// The role and those that it inherits.
    pub(super) included: Vec<RoleSet>,
    /// The roles that it may give.
    pub(super) assigns: Vec<RoleSet>,
}

/// Follows the inheritance.
///
/// A cycle or an unknown parent leaves a role with less than was meant, so what is reported about the rest is true.
pub(super) fn close<P: Permission>(drafts: &[Draft<P>], problems: &mut Vec<Problem>) -> Closed<P> {
    let parents: Vec<_> = drafts.iter().map(|draft| draft.parents.clone()).collect();
    let Lineage { order, cycles } = Lineage::of(&parents);
    for cycle in cycles {
        let path = cycle.iter().filter_map(|index| drafts.get(*index)).map(|draft| shown(&draft.source.name));
        problems.push(Problem::Cycle { path: path.collect() });
    }

    let mut closed = vec![Scopes::none(); drafts.len()];
    let mut included = vec![RoleSet::empty(drafts.len()); drafts.len()];
    let mut assigns = included.clone();
    for index in order {
        let Some(draft) = drafts.get(index) else { continue };
        let inherited = draft.parents.iter().filter_map(|parent| closed.get(*parent));
        let inherited = inherited.fold(Scopes::none(), Scopes::join);
        check_grants(draft, &inherited, problems);
        let own = draft.grants.iter().fold(Scopes::none(), |own, &(perm, scope)| own.with(perm, scope));
        if let Some(slot) = closed.get_mut(index) {
            *slot = inherited.join(&own);
        }
        collect(index, &[index], draft, &mut included);
        collect(index, &draft.assigns, draft, &mut assigns);
    }

    for (draft, scopes) in drafts.iter().zip(&closed) {
        check_staff(draft, scopes, drafts, problems);
        check_owner(draft, drafts, problems);
    }
    // A misspelt parent leaves the role that was meant without an heir. That is one mistake, not two.
    if !problems.iter().any(|problem| matches!(problem, Problem::UnknownParent { .. })) {
        check_reach(drafts, problems);
    }
    Closed { scopes: closed, included, assigns }
}

/// The set of a role: those of its parents, and its own.
fn collect<P: Permission>(index: usize, own: &[usize], draft: &Draft<P>, sets: &mut [RoleSet]) {
    let inherited = draft.parents.iter().filter_map(|parent| sets.get(*parent));
    let set = inherited.fold(RoleSet::empty(sets.len()), RoleSet::join);
    if let Some(slot) = sets.get_mut(index) {
        *slot = own.iter().fold(set, |set, role| set.with(*role));
    }
}

fn check_grants<P: Permission>(draft: &Draft<P>, inherited: &Scopes<P>, problems: &mut Vec<Problem>) {
    let role = || shown(&draft.source.name);
    for &(perm, scope) in &draft.grants {
        let (permission, inherited) = (perm.key(), inherited.scope(perm));
        if inherited > scope {
            problems.push(Problem::NarrowerThanInherited { role: role(), permission, scope, inherited });
        } else if scope == Scope::Platform && !draft.source.staff {
            problems.push(Problem::PlatformWithoutStaff { role: role(), permission });
        }
    }
}

fn check_staff<P: Permission>(draft: &Draft<P>, scopes: &Scopes<P>, drafts: &[Draft<P>], problems: &mut Vec<Problem>) {
    let role = || shown(&draft.source.name);
    if draft.source.staff {
        let writes = scopes.iter().map(|(perm, _)| perm).filter(|perm| perm.kind() == Kind::Write);
        let permissions: Vec<_> = writes.map(Permission::key).collect();
        if !permissions.is_empty() {
            problems.push(Problem::StaffWrites { role: role(), permissions });
        }
        return;
    }
    for parent in draft.parents.iter().filter_map(|parent| drafts.get(*parent)) {
        if parent.source.staff {
            problems.push(Problem::InheritsStaff { role: role(), parent: shown(&parent.source.name) });
        }
    }
}

fn check_owner<P: Permission>(draft: &Draft<P>, drafts: &[Draft<P>], problems: &mut Vec<Problem>) {
    let role = || shown(&draft.source.name);
    if draft.source.owner {
        if draft.source.staff || !draft.source.assignable {
            problems.push(Problem::UnfitOwner { role: role() });
        }
        return;
    }
    for parent in draft.parents.iter().filter_map(|parent| drafts.get(*parent)) {
        if parent.source.owner {
            problems.push(Problem::InheritsOwner { role: role(), parent: shown(&parent.source.name) });
        }
    }
}

/// Finds the roles that nobody can have, neither directly nor by inheritance.
fn check_reach<P: Permission>(drafts: &[Draft<P>], problems: &mut Vec<Problem>) {
    let mut reached: Vec<bool> = drafts.iter().map(|draft| draft.source.assignable).collect();
    let mut open: Vec<usize> = (0..drafts.len()).filter(|index| reached.get(*index) == Some(&true)).collect();
    while let Some(draft) = open.pop().and_then(|index| drafts.get(index)) {
        for &parent in &draft.parents {
            if let Some(new @ false) = reached.get_mut(parent) {
                *new = true;
                open.push(parent);
            }
        }
    }
    for (draft, _) in drafts.iter().zip(&reached).filter(|(_, reached)| !**reached) {
        problems.push(Problem::UnreachableRole { role: shown(&draft.source.name) });
    }
}
