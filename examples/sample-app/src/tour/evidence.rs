//! Signed checkpoints, an audit row that is altered behind the application's back, and the posture score.

use anyhow::{Result, bail};
use sqlx::Connection as _;
use stockade::{
    audit_chain::{
        SignedCheckpoint,
        postgres::{Filter, Part, search},
    },
    tenant_guard::TenantId,
};

use super::Tour;
use crate::{
    controls,
    domain::{
        inspection,
        tampering::{self, Alteration, Outcome, Target},
    },
    seed,
};

/// A checkpoint is signed and anchored, and proves an entry to an outsider.
pub(super) async fn checkpoints(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("Where the log ends is signed, and kept outside the database");
    let app = tour.app();
    app.checkpoint_now().await?;
    let Some(last) = app.last_checkpoint().await? else { bail!("there is no checkpoint") };
    let kept = app.watch.kept(seed::ACME.id.into()).await?;
    let Some(kept) = kept else { bail!("the anchor has no checkpoint of Acme's log") };
    let (key, place) = (app.watch.key(), app.watch.anchors().describe());
    tour.say(format!("verifier key: {key}"));
    tour.check(
        &format!("checkpoint {} over every tenant", last.size()),
        format!("signs entries 1 to {} of {}; kept in {place}", kept.head().head.seq, seed::ACME.name),
        last.open(key).is_some(),
    );
    // The first letter of the third line, which is the root of the tree.
    let mut lines: Vec<String> = last.note().to_string().split('\n').map(str::to_owned).collect();
    if let Some(root) = lines.get_mut(2) {
        let other = if root.starts_with('A') { 'B' } else { 'A' };
        *root = root.chars().enumerate().map(|(at, letter)| if at == 0 { other } else { letter }).collect();
    }
    let altered = lines.join("\n");
    let forged = altered.parse().ok().and_then(|note| SignedCheckpoint::open(&note, key));
    tour.check("change a letter of it", "the signature does not hold", forged.is_none());
    Ok(())
}

/// Somebody with every right alters an entry, in a transaction that is undone; then in one that is not.
pub(super) async fn tampering(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("An audit row is altered behind the application's back");
    let app = tour.app();
    app.seal_now().await?;
    let tenant = seed::ACME.id;
    let mut tx = app.tenants.read(TenantId::new(tenant)).await?;
    let edits = search(&mut tx, &Filter::new(tenant.into()).action("load.update")).await?.rows;
    tx.close().await?;
    let Some(seq) = edits.last().and_then(|edit| edit.seq) else { bail!("no edit of a load is sealed") };
    for alteration in Alteration::ALL {
        let outcome = tampering::demonstrate(app, tenant, seq, alteration).await?;
        let Outcome::Shown(shown) = outcome else { bail!("the demonstration could not run: {outcome:?}") };
        if alteration == Alteration::Actor {
            // A superuser meets the trigger; another administrator has no privilege to begin with.
            let refused = ["append-only", "permission denied"].iter().any(|words| shown.refused.contains(words));
            tour.check("change an entry as the administrator of the database", &shown.refused, refused);
            tour.say("its owner takes the triggers and policies away, in a transaction that is undone, and alters entry by entry:");
        }
        let found = shown.altered.verdicts().first();
        tour.check(
            &format!("alter {}", alteration.words()),
            found.map_or_else(|| "no finding".to_owned(), ToString::to_string),
            found.is_some_and(|found| found.seq == Some(seq)) && shown.undone.is_intact(),
        );
    }

    let mut superuser = tour.scratch.superuser().await?;
    let Some(target) = Target::find(&mut superuser, tenant, seq).await? else { bail!("the entry is gone") };
    let mut tx = superuser.begin().await?;
    tampering::disarm(&mut tx).await?;
    let changed = target.alter(&mut tx, Alteration::Actor).await?;
    tx.commit().await?;
    superuser.close().await?;
    tour.say(format!("the same once more, and kept ({changed} row)"));
    let report = app.watch.verify(&mut *app.sealer().await?, tenant.into()).await?;
    let Some(verdict) = report.verdicts().first() else {
        tour.check("verify the chain", "no finding", false);
        return Ok(());
    };
    tour.check("verify the chain", verdict, verdict.seq == Some(seq));
    let rules = inspection::log_rules(app).await?;
    let switched = rules.deviations.iter().find(|deviation| deviation.part == Part::Trigger);
    tour.check(
        "compare the rules around the log with what its migrations made",
        switched.map_or_else(
            || "no deviation".to_owned(),
            |first| format!("{} deviations; {first}", rules.deviations.len()),
        ),
        switched.is_some(),
    );
    Ok(())
}

/// The score, and what would raise it.
pub(super) async fn posture(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("The posture of the running system");
    let app = tour.app();
    let tenant = seed::ACME.id;
    let assessment = controls::record(app, tenant).await?;
    let Some(score) = assessment.score() else { bail!("nothing was measured") };
    let coverage = assessment.coverage();
    tour.check(
        "measure every control that can be measured here",
        format!("{} of 100, {} of {} controls measured", score.points, coverage.measured, coverage.applicable),
        coverage.measured > 8,
    );
    tour.check(
        "the altered audit row is held against it",
        assessment
            .result(stockade::posture::ControlId::AUDIT_VERIFIES)
            .map_or_else(|| "not measured".to_owned(), |result| format!("audit.verifies: {}", result.status().words())),
        score.points < 80,
    );
    app.seal_now().await?;
    let recorded = controls::earlier(app, tenant, chrono::Utc::now()).await?;
    let last = recorded.snapshots.last();
    tour.check(
        "read it back from the audit log",
        last.map_or_else(|| "it is not there".to_owned(), |last| format!("SHA-256 {}", last.digest())),
        last.is_some_and(|last| last.digest() == assessment.digest()),
    );
    for item in assessment.fix_next().iter().take(5) {
        tour.say(format!("+{:<2} {}", item.points, item.control.title));
    }
    Ok(())
}
