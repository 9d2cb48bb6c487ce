//! Who belongs to the tenant and with what: every change goes through the members of stockade-rbac, which asks the grant guard, and
//! leaves an entry in the log, refusals too.

use anyhow::Result;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use stockade::{
    audit_chain::{Actor, Entry, Outcome, Severity},
    bridge,
    rbac::{
        Change, GrantRefusal, Reason, Scope, Target,
        postgres::{self, Changed, Refused as NotChanged},
    },
    tenant_guard::TenantTx,
};
use uuid::Uuid;

use crate::{
    app::App,
    desk::{Desk, Refused},
    permissions::Perm,
};

/// Records what became of a change of somebody's authority. The inner `Err` is a sentence for whoever asked.
///
/// # Errors
/// When the database fails.
pub async fn kept(
    desk: &mut Desk,
    attempted: &str,
    target: Uuid,
    answer: Result<Changed, NotChanged>,
) -> Result<Result<(), Refused>> {
    match answer {
        Ok(changed) => {
            let entry = bridge::member_entry(&changed, desk.author()).request(desk.asked().context());
            desk.record(&entry).await?;
            Ok(Ok(()))
        }
        Err(refused) => Ok(Err(denied(desk, attempted, ("user", target), &refused).await?)),
    }
}

/// Records that a change was refused.
///
/// # Errors
/// When the database fails.
pub async fn denied(desk: &mut Desk, attempted: &str, (kind, id): (&str, Uuid), why: &NotChanged) -> Result<Refused> {
    let refused = Refused(sentence(why));
    let entry = desk
        .entry(attempted)
        .entity(kind, id)
        .outcome(Outcome::Denied)
        .severity(Severity::Notice)
        .after(serde_json::json!({ "reason": refused.0 }));
    desk.record(&entry).await?;
    Ok(refused)
}

/// An entry about something that whoever is at the desk has done.
pub(crate) fn told(desk: &Desk, entry: impl FnOnce(Actor) -> Entry) -> Entry {
    entry(desk.author()).request(desk.asked().context())
}

/// Puts a person into one office and one team, or into none. Where somebody works says what they reach, so nobody does that to
/// themselves or to somebody above them.
///
/// # Errors
/// When the database fails. A refusal is the inner `Err`.
pub async fn move_to(
    app: &App,
    desk: &mut Desk,
    person: Uuid,
    office: Option<Uuid>,
    team: Option<Uuid>,
) -> Result<Result<(), Refused>> {
    let before = places(&mut desk.tx, person).await?;
    let target = postgres::load(&mut desk.tx, &app.policy, person).await?;
    let actor = desk.actor().clone();
    // Like somebody who comes back, the person gets nothing that they did not have, and must not be above whoever moves them.
    let guard = actor.granting(Perm::PeopleManage);
    let checked = match target {
        Some(target) => guard.check(&Target::new(&target.build()), &Change::Reinstate).map_err(NotChanged::from),
        None => Err(NotChanged::NoSuchMember),
    };
    if let Err(refused) = checked {
        return Ok(Err(denied(desk, "member.move", ("user", person), &refused).await?));
    }
    place(&mut desk.tx, person, office, team).await?;
    let after = places(&mut desk.tx, person).await?;
    let entry = desk.entry("member.move").entity("user", person).before(before).after(after).severity(Severity::Notice);
    desk.record(&entry).await?;
    Ok(Ok(()))
}

/// Writes where a person works.
///
/// # Errors
/// When the database fails.
pub async fn place(tx: &mut TenantTx, person: Uuid, office: Option<Uuid>, team: Option<Uuid>) -> sqlx::Result<()> {
    let tenant = Uuid::from(tx.tenant_id());
    sqlx::query("DELETE FROM stockade.rbac_office_member WHERE user_id = $1").bind(person).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM stockade.rbac_team_member WHERE user_id = $1").bind(person).execute(&mut *tx).await?;
    let office_of = "INSERT INTO stockade.rbac_office_member (tenant_id, user_id, office_id) SELECT $1, $2, id FROM freight.offices WHERE id = $3";
    sqlx::query(office_of).bind(tenant).bind(person).bind(office).execute(&mut *tx).await?;
    let team_of = "INSERT INTO stockade.rbac_team_member (tenant_id, user_id, team_id) SELECT $1, $2, id FROM freight.teams WHERE id = $3";
    sqlx::query(team_of).bind(tenant).bind(person).bind(team).execute(&mut *tx).await?;
    Ok(())
}

async fn places(tx: &mut TenantTx, person: Uuid) -> sqlx::Result<serde_json::Value> {
    let places: (Vec<String>, Vec<String>) = sqlx::query_as(
        "SELECT ARRAY(SELECT o.name FROM stockade.rbac_office_member m JOIN freight.offices o ON o.id = m.office_id WHERE m.user_id = $1),
                ARRAY(SELECT t.name FROM stockade.rbac_team_member m JOIN freight.teams t ON t.id = m.team_id WHERE m.user_id = $1)",
    )
    .bind(person)
    .fetch_one(tx)
    .await?;
    Ok(serde_json::json!({ "offices": places.0, "teams": places.1 }))
}

/// The end of a day that a form names.
#[must_use]
pub fn end_of(day: &str) -> Option<DateTime<Utc>> {
    Some(day.trim().parse::<NaiveDate>().ok()?.succ_opt()?.and_time(NaiveTime::MIN).and_utc())
}

/// The last day of what ends at `until`, as [`end_of`] was told it.
#[must_use]
pub fn last_day(until: DateTime<Utc>) -> NaiveDate {
    until.checked_sub_signed(TimeDelta::seconds(1)).unwrap_or(until).date_naive()
}

/// What a person gave as a reason, if it is one.
#[must_use]
pub fn reason(text: &str) -> Option<Reason> {
    Reason::new(text).ok()
}

/// Why a change was not made, for whoever asked for it.
#[must_use]
pub fn sentence(refused: &NotChanged) -> String {
    let only = |held: &Scope| if *held == Scope::None { String::new() } else { format!(", and you have it at {held}") };
    match refused {
        NotChanged::Guard(GrantRefusal::LastOwner) => {
            "The last owner cannot go. Make somebody else an owner first.".to_owned()
        }
        NotChanged::Guard(GrantRefusal::TargetAbove { permission, has, held }) => {
            format!("This person is above you: they may `{permission}` at {has}{}.", only(held))
        }
        NotChanged::Guard(GrantRefusal::Lacks { permission, granted, held }) => {
            format!("That is more than you have: `{permission}` at {granted}{}.", only(held))
        }
        NotChanged::Guard(GrantRefusal::OwnPromotion) => {
            "Nobody changes what they may do themselves, except to give it up.".to_owned()
        }
        NotChanged::Guard(GrantRefusal::OwnerOnly) => "Only an owner changes who is an owner.".to_owned(),
        NotChanged::Guard(GrantRefusal::StaffOnly) => "Only the platform says who its staff is.".to_owned(),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", letters.as_str())
        }
    }
}
