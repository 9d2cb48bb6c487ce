//! From the separations of a file to those of a policy.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::compile::{Draft, plain, suggest};
use super::roleset::RoleSet;
use super::separation::{Separation, SeparationRule};
use super::source::SeparationSource;
use crate::permission::Permission;
use crate::problem::{Problem, shown};

/// Looks up the names of every separation.
pub(super) fn separations_of<P: Permission>(
    sources: Vec<SeparationSource>,
    names: &BTreeMap<String, usize>,
    keys: &HashMap<&str, P>,
    problems: &mut Vec<Problem>,
) -> Vec<Separation<P>> {
    let mut seen = HashSet::new();
    let mut separations = Vec::new();
    for source in sources {
        let separation = shown(&source.name);
        if !plain(&source.name) {
            problems.push(Problem::InvalidSeparationName { separation: separation.clone() });
        }
        if !seen.insert(source.name.clone()) {
            problems.push(Problem::DuplicateSeparation { separation: separation.clone() });
        }
        let rule = match source.kind.as_str() {
            "static" => {
                roles(&source, names, problems).map(|(roles, at_most)| SeparationRule::Static { roles, at_most })
            }
            "dynamic" => {
                roles(&source, names, problems).map(|(roles, at_most)| SeparationRule::Dynamic { roles, at_most })
            }
            "same-record" => same_record(&source, keys, problems),
            _ => {
                problems.push(Problem::UnknownSeparationKind { separation, kind: shown(&source.kind) });
                None
            }
        };
        if let Some(rule) = rule {
            separations.push(Separation { name: source.name, members: members(&rule, names), rule });
        }
    }
    separations
}

/// Finds the roles that hold by inheritance what nobody may hold together, or could never be active as a whole.
pub(super) fn check_separations<P: Permission>(
    separations: &[Separation<P>],
    drafts: &[Draft<P>],
    included: &[RoleSet],
    problems: &mut Vec<Problem>,
) {
    for separation in separations {
        let breaks = |set: &RoleSet| separation.forbids_activating(set);
        for (draft, set) in drafts.iter().zip(included) {
            // The heirs of a role that breaks it are the same mistake.
            if !breaks(set) || draft.parents.iter().filter_map(|parent| included.get(*parent)).any(breaks) {
                continue;
            }
            let (role, separation) = (shown(&draft.source.name), separation.name.clone());
            problems.push(Problem::BreaksSeparation { role, separation });
        }
    }
}

fn roles(
    source: &SeparationSource,
    names: &BTreeMap<String, usize>,
    problems: &mut Vec<Problem>,
) -> Option<(Vec<String>, usize)> {
    let separation = || shown(&source.name);
    let unfit = |problems: &mut Vec<Problem>, expected| {
        problems.push(Problem::UnfitSeparation { separation: separation(), expected });
        None
    };
    if source.first.is_some() || source.then.is_some() {
        return unfit(problems, "a separation of roles has `roles`, and neither `first` nor `then`");
    }
    let mut roles: Vec<String> = Vec::new();
    let mut known = true;
    for role in source.roles.iter().flatten() {
        if !names.contains_key(role) {
            let suggestion = suggest(role, names.keys().map(String::as_str), problems);
            problems.push(Problem::SeparatesUnknownRole { separation: separation(), role: shown(role), suggestion });
            known = false;
        } else if roles.contains(role) {
            return unfit(problems, "each role is named once");
        } else {
            roles.push(role.clone());
        }
    }
    let at_most = source.at_most.unwrap_or(1);
    if !known {
        return None;
    }
    if at_most == 0 || at_most >= roles.len() {
        return unfit(problems, "at least two roles, and `at_most` from 1 to one less than there are roles");
    }
    Some((roles, at_most))
}

fn same_record<P: Permission>(
    source: &SeparationSource,
    keys: &HashMap<&str, P>,
    problems: &mut Vec<Problem>,
) -> Option<SeparationRule<P>> {
    let (Some(first), Some(then), None, None) = (&source.first, &source.then, &source.roles, source.at_most) else {
        let expected = "one of kind `same-record` has `first` and `then`, and neither `roles` nor `at_most`";
        problems.push(Problem::UnfitSeparation { separation: shown(&source.name), expected });
        return None;
    };
    let mut permission = |key: &String| {
        let found = keys.get(key.as_str()).copied();
        if found.is_none() {
            let suggestion = suggest(key, keys.keys().copied(), problems);
            let (separation, permission) = (shown(&source.name), shown(key));
            problems.push(Problem::SeparatesUnknownPermission { separation, permission, suggestion });
        }
        found
    };
    let (first, then) = (permission(first), permission(then));
    let (first, then) = (first?, then?);
    if first == then {
        let expected = "`first` and `then` are different permissions";
        problems.push(Problem::UnfitSeparation { separation: shown(&source.name), expected });
        return None;
    }
    Some(SeparationRule::SameRecord { first, then })
}

fn members<P: Permission>(rule: &SeparationRule<P>, names: &BTreeMap<String, usize>) -> RoleSet {
    let none = RoleSet::empty(names.len());
    match rule {
        SeparationRule::Static { roles, .. } | SeparationRule::Dynamic { roles, .. } => {
            roles.iter().filter_map(|role| names.get(role)).fold(none, |members, role| members.with(*role))
        }
        SeparationRule::SameRecord { .. } => none,
    }
}
