//! Switches of a tenant: what its people may use of the application, whatever their roles.

use serde_json::json;
use stockade::{audit_chain::Severity, rbac::Resource, tenant_guard::Tx};

use crate::{
    desk::{Desk, Refused},
    permissions::Perm,
};

/// What can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Documents of loads leave the application.
    DocumentDownloads,
    /// Programs with API tokens are answered.
    Programs,
}

/// How a switch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// As everybody has it who has switched nothing.
    On,
    /// Switched off.
    Off,
}

impl Feature {
    /// Every switch.
    pub const ALL: [Self; 2] = [Self::DocumentDownloads, Self::Programs];

    /// Its name in the table and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DocumentDownloads => "document-downloads",
            Self::Programs => "programs",
        }
    }

    /// What it is, for a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::DocumentDownloads => "People download the documents of loads.",
            Self::Programs => "Programs with API tokens are answered.",
        }
    }
}

impl Position {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::On => Self::Off,
            Self::Off => Self::On,
        }
    }

    /// `on` or `off`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// How a switch of the tenant stands.
///
/// # Errors
/// When the database fails.
pub async fn position<A>(tx: &mut Tx<A>, feature: Feature) -> sqlx::Result<Position> {
    let on: Option<bool> = sqlx::query_scalar("SELECT enabled FROM freight.feature_flags WHERE name = $1")
        .bind(feature.name())
        .fetch_optional(tx)
        .await?;
    Ok(if on == Some(false) { Position::Off } else { Position::On })
}

/// Whether the tenant has something switched on.
///
/// # Errors
/// When the database fails.
pub async fn is_on<A>(tx: &mut Tx<A>, feature: Feature) -> sqlx::Result<bool> {
    Ok(position(tx, feature).await? == Position::On)
}

/// Switches something on or off, and records how it stood before.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn switch(desk: &mut Desk, feature: Feature, to: Position) -> anyhow::Result<Result<(), Refused>> {
    let own = Resource::in_tenant(desk.user.tenant_id);
    if let Err(refused) = desk.require(Perm::FeatureEdit, &own, ("feature", feature.name())) {
        return Ok(Err(refused));
    }
    let before = position(&mut desk.tx, feature).await?;
    let keep = "INSERT INTO freight.feature_flags (tenant_id, name, enabled) VALUES ($1, $2, $3)
                ON CONFLICT (tenant_id, name) DO UPDATE SET enabled = excluded.enabled";
    sqlx::query(keep)
        .bind(desk.user.tenant_id)
        .bind(feature.name())
        .bind(to == Position::On)
        .execute(&mut desk.tx)
        .await?;
    let state = |position: Position| json!({ "position": position.name() });
    let entry = desk
        .entry("feature.switch")
        .entity("feature", feature.name())
        .before(state(before))
        .after(state(to))
        .severity(Severity::Notice);
    desk.record(&entry).await?;
    Ok(Ok(()))
}
