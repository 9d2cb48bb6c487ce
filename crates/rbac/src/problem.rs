//! What can be wrong with a policy.

use crate::scope::Scope;

/// One thing that is wrong with a policy. The text says where, in one line; names from the file are escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of a variant says what its fields are")]
pub enum Problem {
    /// Not TOML, or not of the form of a policy: an unknown field, a missing name, a list where a text belongs.
    #[error("line {line}, column {column}: {message}")]
    Syntax { line: usize, column: usize, message: String },
    /// More text or more roles than a policy may have.
    #[error("the policy is too large: {what}")]
    TooLarge { what: &'static str },
    /// A policy without a role lets nobody do anything.
    #[error("the policy has no role")]
    NoRole,
    /// A name that is not 1 to 64 lower-case letters, digits, `-` and `_`.
    #[error("role `{role}`: a name is 1 to 64 of a-z, 0-9, `-` and `_`")]
    InvalidName { role: String },
    /// A title that is empty, has more than 80 characters or a control character.
    #[error("role `{role}`: a title is one line of 1 to 80 characters")]
    InvalidTitle { role: String },
    /// Two roles with one name.
    #[error("role `{role}` is there twice")]
    DuplicateRole { role: String },
    /// A role inherits one that is not there.
    #[error("role `{role}` inherits unknown role `{parent}`{}", hint(.suggestion.as_deref()))]
    UnknownParent { role: String, parent: String, suggestion: Option<String> },
    /// A role names the same parent twice.
    #[error("role `{role}` inherits `{parent}` twice")]
    DuplicateParent { role: String, parent: String },
    /// Roles inherit each other. The path starts and ends with the same role.
    #[error("roles inherit each other: {}", .path.join(" -> "))]
    Cycle { path: Vec<String> },
    /// A grant at a scope that does not exist.
    #[error("role `{role}` grants at unknown scope `{scope}`: expected own, team, office, tenant or platform")]
    UnknownScope { role: String, scope: String },
    /// A grant of a permission that the vocabulary does not have.
    #[error("role `{role}` grants unknown permission `{permission}`{}", hint(.suggestion.as_deref()))]
    UnknownPermission { role: String, permission: String, suggestion: Option<String> },
    /// One permission twice in one role.
    #[error("role `{role}` grants `{permission}` twice")]
    DuplicateGrant { role: String, permission: &'static str },
    /// A grant wider than the permission allows.
    #[error("role `{role}` grants `{permission}` at {scope}, which reaches {max} at most")]
    ScopeTooWide { role: String, permission: &'static str, scope: Scope, max: Scope },
    /// A grant narrower than what the role inherits: it looks like a restriction and is none.
    #[error("role `{role}` grants `{permission}` at {scope} but inherits it at {inherited}: a grant cannot narrow")]
    NarrowerThanInherited { role: String, permission: &'static str, scope: Scope, inherited: Scope },
    /// Platform scope in a role that is not `staff`.
    #[error("role `{role}` grants `{permission}` at platform, which only a staff role may hold")]
    PlatformWithoutStaff { role: String, permission: &'static str },
    /// A role inherits a staff role and is none itself.
    #[error("role `{role}` inherits staff role `{parent}` and is not a staff role itself")]
    InheritsStaff { role: String, parent: String },
    /// A staff role that writes, by its own grants or by what it inherits.
    #[error("staff role `{role}` may not write: {}", .permissions.join(", "))]
    StaffWrites { role: String, permissions: Vec<&'static str> },
    /// An owner's role that is a staff role too, or that nobody can have.
    #[error("owner role `{role}` has to be assignable, and no staff role")]
    UnfitOwner { role: String },
    /// A role inherits an owner's role and is none itself: its holders would count for nothing where the last owner is kept.
    #[error("role `{role}` inherits owner role `{parent}` and is not an owner role itself")]
    InheritsOwner { role: String, parent: String },
    /// A role may give one that is not there.
    #[error("role `{role}` assigns unknown role `{assigned}`{}", hint(.suggestion.as_deref()))]
    AssignsUnknownRole { role: String, assigned: String, suggestion: Option<String> },
    /// A role may give one that nobody can have.
    #[error("role `{role}` assigns `{assigned}`, which is not assignable")]
    AssignsUnassignable { role: String, assigned: String },
    /// A role may give one that has more than itself, or that is an owner's or a staff role while it is none.
    #[error("role `{role}` may grant more than it has: it assigns `{assigned}`, which {more}")]
    Escalation { role: String, assigned: String, more: String },
    /// A name of a separation that is not 1 to 64 lower-case letters, digits, `-` and `_`.
    #[error("separation `{separation}`: a name is 1 to 64 of a-z, 0-9, `-` and `_`")]
    InvalidSeparationName { separation: String },
    /// Two separations with one name.
    #[error("separation `{separation}` is there twice")]
    DuplicateSeparation { separation: String },
    /// A separation of a kind that does not exist.
    #[error("separation `{separation}` is of unknown kind `{kind}`: expected static, dynamic or same-record")]
    UnknownSeparationKind { separation: String, kind: String },
    /// A separation without what its kind needs, or with what belongs to another kind.
    #[error("separation `{separation}`: {expected}")]
    UnfitSeparation { separation: String, expected: &'static str },
    /// A separation names a role that is not there.
    #[error("separation `{separation}` names unknown role `{role}`{}", hint(.suggestion.as_deref()))]
    SeparatesUnknownRole { separation: String, role: String, suggestion: Option<String> },
    /// A separation names a permission that the vocabulary does not have.
    #[error("separation `{separation}` names unknown permission `{permission}`{}", hint(.suggestion.as_deref()))]
    SeparatesUnknownPermission { separation: String, permission: String, suggestion: Option<String> },
    /// A role has by inheritance what a separation keeps apart.
    #[error("role `{role}` breaks separation `{separation}` by what it inherits")]
    BreaksSeparation { role: String, separation: String },
    /// A role that cannot be assigned and that no assignable role inherits.
    #[error("role `{role}` is unreachable: it is not assignable and no assignable role inherits it")]
    UnreachableRole { role: String },
}

/// A name from outside as it may stand in a message: escaped, and cut to 64 characters.
pub(crate) fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    if name.chars().nth(64).is_some() {
        shown.push_str("..");
    }
    shown
}

/// The known name that `name` was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > 64 {
        return None;
    }
    let far = name.chars().count() / 3 + 1;
    let near = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    near.filter(|(distance, _)| *distance <= far).min().map(|(_, known)| known)
}

/// The end of a message about an unknown name.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    hint(nearest(name, known))
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
