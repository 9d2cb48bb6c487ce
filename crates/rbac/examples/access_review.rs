//! What an auditor is shown: who may do what, who can, what a new policy would widen, and the grants that there are.
//!
//! `cargo run -p stockade-rbac --example access_review`

#![expect(clippy::print_stdout, reason = "it is a program that prints")]

use std::convert::Infallible;
use std::error::Error;

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{AccessReview, AccessStatistics, GrantRow, Policy, Subject};
use uuid::Uuid;

stockade_rbac::permissions! {
    /// What a person of the brokerage may do.
    pub enum Perm {
        LoadView = "load.view":          Read,  up to Tenant;
        LoadEdit = "load.edit":          Write, up to Tenant;
        Prepare  = "settlement.prepare": Write, up to Tenant;
        Approve  = "settlement.approve": Write, up to Tenant, audit;
    }
}

const APPROVED: &str = r#"
    role = [
        { name = "agent", title = "Agent", grants.own = ["load.view", "load.edit"] },
        { name = "dispatcher", inherits = ["agent"], grants.office = ["load.view", "load.edit"] },
        { name = "accountant", grants.tenant = ["load.view", "settlement.prepare"] },
        { name = "controller", grants.tenant = ["settlement.approve"] },
        { name = "owner", owner = true, inherits = ["dispatcher"], grants.tenant = ["load.view", "load.edit"] },
    ]
    separation = [
        { name = "two-people", kind = "static", roles = ["accountant", "controller"] },
        { name = "four-eyes", kind = "same-record", first = "settlement.prepare", then = "settlement.approve" },
    ]
"#;

/// The dispatcher sees everything, the accountant sees less, and one of the separations has gone.
fn proposed() -> String {
    APPROVED
        .replace("grants.office = [\"load.view\", \"load.edit\"]", "grants.tenant = [\"load.view\"]")
        .replace("[\"load.view\", \"settlement.prepare\"]", "[\"settlement.prepare\"]")
        .replace("{ name = \"two-people\", kind = \"static\", roles = [\"accountant\", \"controller\"] },", "")
}

/// What a table of grants might hold, with some that should not be there.
fn grants(now: DateTime<Utc>) -> Vec<GrantRow> {
    let [ana, ben, cem] = [1, 2, 3].map(Uuid::from_u128);
    vec![
        GrantRow::role(ana, "owner").granted(ana, now - TimeDelta::days(400)).because("founder"),
        GrantRow::role(ben, "accountant").granted(ana, now - TimeDelta::days(90)),
        GrantRow::role(ben, "controller").granted(ana, now - TimeDelta::days(2)).because("covers for Cem"),
        GrantRow::role(cem, "controler").granted(ana, now - TimeDelta::days(300)),
        GrantRow::allow(cem, "load.edit", "tenant").until(now - TimeDelta::days(1)).because("migration"),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let approved = Policy::<Perm>::compile(APPROVED)?;
    let now = DateTime::from_timestamp(1_764_000_000, 0).ok_or("a moment")?;
    let tenant = Uuid::from_u128(100);

    println!("# Who may do what\n\n{}", approved.matrix().to_markdown());

    println!("# Who can approve settlements\n");
    for (role, scope) in approved.who_can(Perm::Approve) {
        println!("- role {}: {scope}", role.name());
    }
    let person = |user, role| approved.actor(Subject::new(Uuid::from_u128(user), tenant)).role(role);
    let people = [person(1, "owner")?.build(), person(2, "controller")?.build()];
    for holder in approved.people_who_can(Perm::Approve, &people) {
        println!("- {}: {} by {}", holder.user, holder.scope, holder.roles.join(", "));
    }

    let diff = approved.diff(&Policy::compile(&proposed())?);
    println!("\n# What the proposed policy changes\n\n{}", diff.to_markdown());
    println!("To be approved: {} of {} changes.\n", diff.widening().iter().len(), diff.iter().len());

    let rows = grants(now);
    let read = rows.iter().cloned().map(Ok::<_, Infallible>);
    let review = AccessReview::freeze(&approved, tenant, now, rows.len(), read)?;
    println!("# The grants, as of {now}\n\n{}", review.to_csv());
    println!("Digest {}, to be kept elsewhere.\n", review.digest());

    let numbers = AccessStatistics::of(&approved, now, TimeDelta::days(30), &rows);
    println!("Owners: {}; roles that nobody has: {}", numbers.owners, numbers.unused_roles.join(", "));
    println!(
        "Orphans: {}; expired: {}; separations broken: {}",
        numbers.orphans, numbers.expired, numbers.separations_broken
    );
    Ok(())
}
