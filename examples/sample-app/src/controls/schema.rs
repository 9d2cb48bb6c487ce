//! The schema against its declaration, the rules around the audit log, and the ledgers of migrations.

use anyhow::Result;
use chrono::{DateTime, Utc};
use sqlx::Connection as _;
use stockade::posture::{Observation, audit_chain, postgres, rls_migrations};

use super::measured;
use crate::{app::App, schema};

pub(super) async fn measure(app: &App, now: DateTime<Utc>) -> Result<Vec<Observation>> {
    let declared = schema::schema(app.prefix());
    // Whoever can connect can read the catalogue, and the sealer reaches no row of the business.
    let mut sealer = app.sealer().await?;
    let mut seen = measured(rls_migrations::declaration(&mut sealer, &declared), now).await;
    seen.extend(measured(rls_migrations::periods(&mut sealer, &declared), now).await);
    seen.extend(measured(audit_chain::rules(&mut sealer), now).await);
    drop(sealer);
    // The ledgers belong to whoever migrates, and a hardened database tells nobody else about its connections. All logins connect by
    // the same options, so this connection is encrypted as theirs are.
    let mut administrator = app.administrator().await?;
    let (crates, own) = schema::migrators();
    seen.extend(measured(postgres::migrations(&mut administrator, crates.iter().chain([own])), now).await);
    seen.extend(measured(postgres::transport(&mut administrator), now).await);
    administrator.close().await?;
    Ok(seen)
}
