//! Forgetting and keeping: erasure of a person's values from the audit log, and legal holds that suspend it.
//!
//! Each has a login of its own, which can do nothing else. The policy is asked at the desk, whose transaction ends before the
//! other login's begins.

use std::{collections::HashMap, fmt, str::FromStr};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::json;
use stockade::{
    audit_chain::{
        ErasureRequest, Outcome, Severity,
        postgres::{self, Erasure, LegalHold, Subject},
    },
    rbac::Resource,
    tenant_guard::{TenantTx, Tx},
};
use uuid::Uuid;

use crate::{
    app::App,
    desk::{Desk, Refused},
    permissions::Perm,
};

/// Whose values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// What the log says of a person of the tenant who did something: name, address, browser.
    User(Uuid),
    /// The personal values that the log holds of a driver.
    Driver(Uuid),
}

/// A request to be forgotten. Everything in it stays in the log: it names nobody.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Whose values.
    pub who: Who,
    /// The number of the request in the company's own files.
    pub request: String,
    /// On what ground, such as `GDPR Art. 17(1)(b)`.
    pub basis: String,
}

/// A legal hold in force.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Hold {
    /// Its id, which is that of the entry that placed it.
    pub id: Uuid,
    /// The matter that it was placed for.
    pub matter: String,
    /// When.
    pub placed_at: DateTime<Utc>,
    /// By whom.
    pub actor_id: String,
}

/// An erasure that was carried out.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Done {
    /// When.
    pub erased_at: DateTime<Utc>,
    /// The number of the request.
    pub request: String,
    /// On what ground.
    pub basis: String,
    /// How many values.
    pub values: i64,
    /// The number of the entry that covers them, once it is sealed.
    pub seq: Option<i64>,
}

impl Who {
    /// The person's id, which the log keeps: a pseudonym.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::User(id) | Self::Driver(id) => id,
        }
    }

    /// What the log calls this kind of person.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Driver(_) => "driver",
        }
    }

    fn subject(self) -> Subject {
        match self {
            Self::User(id) => Subject::Actor(id.to_string()),
            Self::Driver(id) => Subject::Entity { kind: "driver".to_owned(), id: id.to_string() },
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.id())
    }
}

impl FromStr for Who {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("driver", id)) => Ok(Self::Driver(id.parse()?)),
            Some(("user", id)) => Ok(Self::User(id.parse()?)),
            _ => anyhow::bail!("not a person"),
        }
    }
}

const HOLDS: &str = "
SELECT h.hold_id AS id, e.after->>'matter' AS matter, e.recorded_at AS placed_at, e.actor_id
FROM stockade.audit_hold h JOIN stockade.audit_entry e ON e.entry_id = h.hold_id
WHERE NOT h.released AND NOT EXISTS (SELECT FROM stockade.audit_hold r WHERE r.hold_id = h.hold_id AND r.released)
ORDER BY e.recorded_at";

/// The tenant's holds in force, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn holds(tx: &mut TenantTx) -> sqlx::Result<Vec<Hold>> {
    sqlx::query_as(HOLDS).fetch_all(tx).await
}

const ERASURES: &str = "
SELECT e.recorded_at AS erased_at, e.after->>'request' AS request, e.after->>'legal_basis' AS basis,
    (e.after->>'count')::bigint AS values, l.seq
FROM stockade.audit_evidence v JOIN stockade.audit_entry e ON e.entry_id = v.entry_id
    LEFT JOIN stockade.audit_link l ON l.entry_id = v.entry_id AND l.tenant_id = v.tenant_id
WHERE v.action = 'audit.erased' ORDER BY e.recorded_at DESC LIMIT 50";

/// The tenant's latest erasures.
///
/// # Errors
/// When the database fails.
pub async fn erasures(tx: &mut TenantTx) -> sqlx::Result<Vec<Done>> {
    sqlx::query_as(ERASURES).fetch_all(tx).await
}

/// In how many entries of the log a person's values may stand.
///
/// # Errors
/// When the database fails.
pub async fn entries_of(tx: &mut TenantTx, who: Who) -> sqlx::Result<i64> {
    let count = match who {
        Who::User(_) => "SELECT count(*) FROM stockade.audit_entry e WHERE e.actor_id = $1",
        Who::Driver(_) => {
            "SELECT count(*) FROM stockade.audit_entry e WHERE e.entity_type = 'driver' AND e.entity_id = $1"
        }
    };
    sqlx::query_scalar(count).bind(who.id().to_string()).fetch_one(tx).await
}

/// For entries and paths of personal values that are gone: the number of the entry that covers each, once it is sealed.
pub type Erased = HashMap<(Uuid, String), Option<i64>>;

const ERASED: &str = "
SELECT x.entry_id, x.path, l.seq FROM stockade.audit_erased x
    LEFT JOIN stockade.audit_link l ON l.entry_id = x.list_id AND l.tenant_id = x.tenant_id
WHERE x.entry_id = ANY ($1)";

/// What of these entries was erased.
///
/// # Errors
/// When the database fails.
pub async fn erased<A>(tx: &mut Tx<A>, entries: &[Uuid]) -> sqlx::Result<Erased> {
    let rows: Vec<(Uuid, String, Option<i64>)> = sqlx::query_as(ERASED).bind(entries).fetch_all(tx).await?;
    Ok(rows.into_iter().map(|(entry, path, seq)| ((entry, path), seq)).collect())
}

/// Erases a person's values from the tenant's log, but for those under a hold. Its own entry says what, and that something was
/// kept back is recorded too.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn erase(app: &App, desk: Desk, asked: &Asked) -> Result<Result<Erasure, Refused>> {
    let tenant = desk.user.tenant_id;
    let whose = (asked.who.kind(), asked.who.id());
    if let Err(refused) = desk.require(Perm::AuditErase, &Resource::in_tenant(tenant), whose) {
        desk.commit(app).await?;
        return Ok(Err(refused));
    }
    let request = ErasureRequest::new(desk.author(), &asked.request, &asked.basis).subject(asked.who);
    let kept = desk.entry("retention.erase").entity(asked.who.kind(), asked.who.id()).outcome(Outcome::Denied);
    desk.commit(app).await?;
    let erasure = postgres::erase(&mut *app.eraser().await?, tenant.into(), &asked.who.subject(), &request).await?;
    if !erasure.held.is_empty() {
        let held = json!({ "request": asked.request, "held": erasure.held.len(), "reason": "legal hold" });
        app.trail.send(tenant.into(), kept.severity(Severity::Notice).after(held));
    }
    app.seal_soon();
    Ok(Ok(erasure))
}

/// Places a hold on everything that the tenant's log holds.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn place_hold(app: &App, desk: Desk, matter: &str) -> Result<Result<(), Refused>> {
    let tenant = desk.user.tenant_id;
    let all = ("audit_log", "tenant");
    let allowed = desk.require(Perm::AuditHold, &Resource::in_tenant(tenant), all);
    let hold = LegalHold::new(desk.author(), matter);
    desk.commit(app).await?;
    if allowed.is_ok() {
        postgres::place_hold(&mut *app.holder().await?, tenant.into(), &hold).await?;
        app.seal_soon();
    }
    Ok(allowed)
}

/// Releases a hold of the tenant. `false` if there is none of this id.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn release_hold(app: &App, desk: Desk, hold: Uuid, reason: &str) -> Result<Result<bool, Refused>> {
    let tenant = desk.user.tenant_id;
    let place = ("legal_hold", hold);
    if let Err(refused) = desk.require(Perm::AuditHold, &Resource::in_tenant(tenant), place) {
        desk.commit(app).await?;
        return Ok(Err(refused));
    }
    let author = desk.author();
    desk.commit(app).await?;
    let released =
        postgres::release_hold(&mut *app.holder().await?, tenant.into(), hold, author, reason).await?.is_some();
    app.seal_soon();
    Ok(Ok(released))
}
