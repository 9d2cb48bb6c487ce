//! Looking at the schema from outside: what the linter says of it, and what an attack on it finds.

use anyhow::Result;
use sqlx::Connection;
use stockade::{
    audit_chain::postgres::{Health, health},
    rls_migrations::{Finding, Probe, ProbeReport},
};

use crate::{app::App, reach, schema};

/// Compares the live schema with its declaration, and with what is known to go wrong.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn lint(app: &App) -> Result<Vec<Finding>> {
    let mut administrator = app.administrator().await?;
    let findings = schema::schema(app.prefix()).lint(&mut administrator).await;
    administrator.close().await?;
    Ok(findings?)
}

/// Attacks every table as the application's role, between two tenants that exist only while it runs. `None` on the embedded
/// engine, which has no second connection and whose PL/pgSQL catches no error.
///
/// # Errors
/// When the database fails. What an attempt is answered is part of the report.
pub async fn probe(app: &App) -> Result<Option<ProbeReport>> {
    let Some(login) = app.login() else { return Ok(None) };
    let mut administrator = app.administrator().await?;
    let report = schema::schema(app.prefix())
        .probe(&mut administrator, &Probe::new().login(login).scopes(reach::whole_tenant()?.as_str()))
        .await;
    administrator.close().await?;
    Ok(Some(report?))
}

/// Compares what guards the audit log (triggers, functions, policies, privileges, owners) with what its migrations made.
///
/// # Errors
/// When the catalogue cannot be read.
pub async fn log_rules(app: &App) -> Result<Health> {
    Ok(health(&mut *app.sealer().await?).await?)
}
