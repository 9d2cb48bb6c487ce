//! Changes of what people may do as audit entries.

use serde_json::{Value, json};
use stockade_audit_chain::{Actor, Entry, Severity};
use stockade_rbac::postgres::{Action, Changed, Invitation, Shared, SharedWith, Standing};

/// What a change of somebody's authority looks like in the audit log: with everything the person had before and has now.
///
/// `by` is whoever did it, as the log names people. The entry holds the reason, which may name people too.
#[must_use]
pub fn member_entry(changed: &Changed, by: Actor) -> Entry {
    let mut after = standing(&changed.after);
    if let Value::Object(facts) = &mut after {
        facts.insert("reason".to_owned(), changed.reason.as_str().into());
        if let Action::Accept { invitation } = &changed.action {
            facts.insert("invitation".to_owned(), invitation.id.to_string().into());
        }
    }
    Entry::new(changed.tenant.as_uuid().into(), by, changed.action.name())
        .entity("user", changed.target.as_uuid())
        .before(standing(&changed.before))
        .after(after)
        .severity(Severity::Notice)
        .occurred_at(changed.at)
}

/// What a share of a row looks like in the audit log, as `share.add` or `share.end`.
#[must_use]
pub fn share_entry(action: &str, shared: &Shared, by: Actor) -> Entry {
    let (kind, with) = match shared.with {
        SharedWith::User(user) => ("user", user.as_uuid()),
        SharedWith::Team(team) => ("team", team.as_uuid()),
        SharedWith::Office(office) => ("office", office.as_uuid()),
    };
    let facts = json!({
        "share": shared.share.to_string(), "with": kind, "id": with.to_string(), "level": shared.level.name(),
    });
    Entry::new(shared.tenant.as_uuid().into(), by, action)
        .entity(shared.kind.as_str(), shared.row)
        .after(facts)
        .severity(Severity::Notice)
        .occurred_at(shared.at)
}

/// What an invitation looks like in the audit log, as `invitation.send` or `invitation.withdraw`: without the address.
#[must_use]
pub fn invitation_entry(action: &str, invitation: &Invitation, by: Actor) -> Entry {
    let facts = json!({
        "role": invitation.role, "expires_at": invitation.expires_at.to_rfc3339(), "reason": invitation.reason.as_str(),
    });
    Entry::new(invitation.tenant.as_uuid().into(), by, action)
        .entity("invitation", invitation.id)
        .after(facts)
        .severity(Severity::Notice)
}

/// What a person has, as facts.
fn standing(standing: &Standing) -> Value {
    let until = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.to_rfc3339());
    let roles: Vec<Value> =
        standing.roles.iter().map(|held| json!({ "role": held.role, "until": until(held.expires_at) })).collect();
    let overrides: Vec<Value> = standing
        .overrides
        .iter()
        .map(|held| {
            json!({
                "permission": held.permission, "scope": held.scope.map(stockade_rbac::Scope::name), "until": until(held.expires_at),
            })
        })
        .collect();
    json!({ "status": standing.status.map(stockade_rbac::postgres::Status::name), "roles": roles, "overrides": overrides })
}
