//! An audit row that is altered behind the application's back, and the posture score.

use anyhow::{Result, bail};
use sqlx::raw_sql;
use stockade::{
    audit_chain::postgres::{VerifyOptions, verify},
    tenant_guard::TenantId,
};

use super::Tour;
use crate::{controls, seed};

/// A superuser switches the triggers off and rewrites who did it.
pub(super) async fn tampering(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("An audit row is altered behind the application's back");
    let app = tour.app();
    app.seal_now().await?;
    let tenant = seed::ACME.id;
    let mut superuser = tour.scratch.superuser().await?;
    let seq: i64 = sqlx::query_scalar(
        "SELECT l.seq FROM stockade.audit_link l JOIN stockade.audit_entry e USING (entry_id)
         WHERE l.tenant_id = $1 AND e.action = 'load.update' ORDER BY l.seq LIMIT 1",
    )
    .bind(tenant)
    .fetch_one(&mut superuser)
    .await?;
    let refused = sqlx::query(
        "UPDATE stockade.audit_entry SET action = 'load.view' WHERE tenant_id = $1 AND action = 'load.update'",
    )
    .bind(tenant)
    .execute(&mut superuser)
    .await;
    let happened = match &refused {
        Ok(done) => format!("{} rows changed", done.rows_affected()),
        Err(error) => error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()),
    };
    tour.check("change an entry as the superuser of the database", happened, refused.is_err());

    raw_sql("ALTER TABLE stockade.audit_entry DISABLE TRIGGER ALL").execute(&mut superuser).await?;
    let changed = sqlx::query(
        "UPDATE stockade.audit_entry e SET actor_id = 'somebody-else' FROM stockade.audit_link l
         WHERE l.entry_id = e.entry_id AND l.tenant_id = $1 AND l.seq = $2",
    )
    .bind(tenant)
    .bind(seq)
    .execute(&mut superuser)
    .await?
    .rows_affected();
    raw_sql("ALTER TABLE stockade.audit_entry ENABLE TRIGGER ALL").execute(&mut superuser).await?;
    sqlx::Connection::close(superuser).await?;
    tour.say(format!("the superuser disables the triggers, writes another name into entry no. {seq} ({changed} row), and enables them again"));

    let mut tx = app.tenants.read(TenantId::new(tenant)).await?;
    let report = verify(&mut tx, tenant.into(), &VerifyOptions::default()).await?;
    tx.close().await?;
    let Some(verdict) = report.verdicts().first() else {
        tour.check("verify the chain", "no finding", false);
        return Ok(());
    };
    tour.check("verify the chain", verdict, !report.is_intact() && verdict.seq == u64::try_from(seq).ok());
    Ok(())
}

/// The score, and what would raise it.
pub(super) async fn posture(tour: &mut Tour<'_>) -> Result<()> {
    tour.step("The posture of the running system");
    let app = tour.app();
    let desk = tour.owner_desk("GET", "/posture").await?;
    let user = desk.user.clone();
    desk.commit(app).await?;
    let assessment = controls::assess(app, &user).await?;
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
    for item in assessment.fix_next().iter().take(5) {
        tour.say(format!("+{:<2} {}", item.points, item.control.title));
    }
    Ok(())
}
