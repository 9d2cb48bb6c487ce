//! Which role may give which, and that none gives more than it has.

use std::collections::BTreeMap;

use super::compile::{Draft, suggest};
use super::source::RoleSource;
use crate::permission::Permission;
use crate::problem::{Problem, shown};
use crate::scopes::Scopes;

pub(super) fn assigns_of(
    role: &RoleSource,
    names: &BTreeMap<String, usize>,
    problems: &mut Vec<Problem>,
) -> Vec<usize> {
    let mut assigns = Vec::new();
    for assigned in role.assigns.iter().flatten() {
        if let Some(&index) = names.get(assigned) {
            assigns.push(index);
        } else {
            let suggestion = suggest(assigned, names.keys().map(String::as_str), problems);
            let (role, assigned) = (shown(&role.name), shown(assigned));
            problems.push(Problem::AssignsUnknownRole { role, assigned, suggestion });
        }
    }
    assigns
}

/// Finds the roles that may give more than they have. Every single step is looked at, and no more is at the end of a chain of
/// steps each of which gives no more: so no chain raises anybody.
pub(super) fn check_assigns<P: Permission>(drafts: &[Draft<P>], scopes: &[Scopes<P>], problems: &mut Vec<Problem>) {
    for (giver, held) in drafts.iter().zip(scopes) {
        let role = || shown(&giver.source.name);
        for &index in &giver.assigns {
            let (Some(given), Some(needed)) = (drafts.get(index), scopes.get(index)) else { continue };
            let assigned = shown(&given.source.name);
            if !given.source.assignable {
                problems.push(Problem::AssignsUnassignable { role: role(), assigned });
            } else if let Some(more) = surplus(giver, held, given, needed) {
                problems.push(Problem::Escalation { role: role(), assigned, more });
            }
        }
    }
}

fn surplus<P: Permission>(giver: &Draft<P>, held: &Scopes<P>, given: &Draft<P>, needed: &Scopes<P>) -> Option<String> {
    if given.source.owner && !giver.source.owner {
        return Some("is an owner role".to_owned());
    }
    if given.source.staff && !giver.source.staff {
        return Some("is a staff role".to_owned());
    }
    if needed.is_within(held) {
        return None;
    }
    let (perm, scope) = needed.iter().find(|(perm, scope)| held.scope(*perm) < *scope)?;
    Some(format!("has `{}` at {scope}", perm.key()))
}
