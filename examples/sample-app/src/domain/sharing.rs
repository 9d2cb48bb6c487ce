//! Sharing single loads and accounts: "office B sees account X", for a reason and usually for a time.

use anyhow::Result;
use chrono::{DateTime, Utc};
use stockade::{
    bridge,
    rbac::{
        Reason, Resource, ShareLevel,
        postgres::{Answer, Refused as NotShared, Shared, SharedRow, SharedWith},
    },
};
use uuid::Uuid;

use super::membership;
use crate::{
    app::App,
    desk::{Desk, Reads, Refused},
    permissions::Perm,
};

/// What can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A load.
    Load,
    /// A customer's account.
    Account,
}

/// A row to share, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
    /// Its facts.
    pub facts: Resource,
}

/// A share that is in force or over.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Share {
    /// The share.
    pub share_id: Uuid,
    /// The person or office.
    pub with: String,
    /// `view` or `edit`.
    pub level: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a share is to be.
#[derive(Clone, Debug)]
pub struct New {
    /// With whom.
    pub with: SharedWith,
    /// For what.
    pub level: ShareLevel,
    /// Why.
    pub reason: Reason,
    /// Until when.
    pub until: Option<DateTime<Utc>>,
}

impl Kind {
    /// The name of the kind in the table of shares.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Account => "account",
        }
    }

    /// The permission to share.
    #[must_use]
    pub const fn permission(self) -> Perm {
        match self {
            Self::Load => Perm::LoadShare,
            Self::Account => Perm::AccountShare,
        }
    }

    const fn used(self) -> &'static [Perm] {
        match self {
            Self::Load => &[Perm::LoadView, Perm::LoadEdit],
            Self::Account => &[Perm::AccountView, Perm::AccountEdit],
        }
    }
}

impl Row {
    fn shared(&self) -> SharedRow<'_, Perm> {
        SharedRow {
            by: self.kind.permission(),
            used: self.kind.used(),
            kind: self.kind.name(),
            id: self.id,
            facts: &self.facts,
        }
    }
}

/// The shares of a row.
///
/// # Errors
/// When the database fails.
pub async fn of<W: Reads<Perm>>(desk: &mut Desk<W>, kind: Kind, row: Uuid) -> sqlx::Result<Vec<Share>> {
    sqlx::query_as(
        "SELECT s.share_id, coalesce(u.name, o.name, t.name, '?') AS \"with\", s.level, s.reason, s.expires_at FROM stockade.rbac_share s
         LEFT JOIN freight.users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
         LEFT JOIN freight.offices o ON o.tenant_id = s.tenant_id AND o.id = s.office_id
         LEFT JOIN freight.teams t ON t.tenant_id = s.tenant_id AND t.id = s.team_id
         WHERE s.kind = $1 AND s.row_id = $2 ORDER BY s.granted_at",
    )
    .bind(kind.name())
    .bind(row)
    .fetch_all(desk.tx())
    .await
}

/// Shares a row.
///
/// # Errors
/// When the database fails. A refusal is the inner `Err`.
pub async fn share(app: &App, desk: &mut Desk, row: &Row, new: &New) -> Result<Result<(), Refused>> {
    let mut by = desk.members(&app.members);
    let answer: Answer<Shared> = by.share(&row.shared(), new.with, new.level, &new.reason, new.until).await;
    keep(desk, "share.add", row, answer?).await
}

/// Ends a share of a row.
///
/// # Errors
/// When the database fails. A refusal is the inner `Err`.
pub async fn end(app: &App, desk: &mut Desk, row: &Row, share: Uuid) -> Result<Result<(), Refused>> {
    let answer = desk.members(&app.members).unshare(&row.shared(), share).await?;
    keep(desk, "share.end", row, answer).await
}

async fn keep(
    desk: &mut Desk,
    action: &str,
    row: &Row,
    answer: Result<Shared, NotShared>,
) -> Result<Result<(), Refused>> {
    match answer {
        Ok(shared) => {
            let entry = membership::told(desk, |by| bridge::share_entry(action, &shared, by));
            desk.record(&entry).await?;
            Ok(Ok(()))
        }
        Err(refused) => Ok(Err(membership::denied(desk, action, (row.kind.name(), row.id), &refused).await?)),
    }
}
