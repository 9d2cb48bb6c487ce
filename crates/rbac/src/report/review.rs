//! What a reviewer of access is given, frozen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::canonical::{self, Digest};
use super::grants::{Finding, GrantRow, Granted};
use super::text::csv;
use crate::ident::{TenantId, UserId};
use crate::permission::Permission;
use crate::policy::Policy;

/// Every grant of a tenant at one moment, with what there is to look at: made from the table of grants and not from the policy, so
/// that what the policy no longer knows is in it too.
///
/// Frozen: [`to_json`](Self::to_json) carries a digest of its content, which names the policy by its digest, and
/// [`is_intact`](Self::is_intact) tells whether a copy is still what was exported. A digest is no signature: keep it where the
/// copy is not, for example in the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessReview {
    tenant: TenantId,
    at: DateTime<Utc>,
    policy: Digest,
    rows: Vec<(GrantRow, Vec<Finding>)>,
}

/// A review that would have left something out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Partial<E> {
    /// A row could not be read.
    #[error("a grant could not be read")]
    Unread(#[source] E),
    /// There are not as many rows as were counted.
    #[error("{found} grants were read where {expected} were counted")]
    Count {
        /// How many were counted.
        expected: usize,
        /// How many came.
        found: usize,
    },
}

#[derive(Serialize)]
struct ContentJson<'a> {
    frozen_at: String,
    grants: Vec<RowJson<'a>>,
    policy_sha256: String,
    tenant: String,
}

#[derive(Serialize)]
struct RowJson<'a> {
    expires: Option<String>,
    findings: Vec<String>,
    granted_at: Option<String>,
    granted_by: Option<String>,
    kind: &'static str,
    name: &'a str,
    reason: Option<&'a str>,
    scope: Option<&'a str>,
    user: String,
}

const BEFORE: &str = "{\"content\":";
const BETWEEN: &str = ",\"sha256\":\"";
const AFTER: &str = "\"}";

impl AccessReview {
    /// Freezes the grants of a tenant. `expected` is their number, counted apart from reading them, in the same snapshot.
    ///
    /// # Errors
    ///
    /// [`Partial`] if a row could not be read, or if there are more or fewer than expected: a review that leaves something out
    /// is worse than none.
    pub fn freeze<P: Permission, E>(
        policy: &Policy<P>,
        tenant: impl Into<TenantId>,
        at: DateTime<Utc>,
        expected: usize,
        rows: impl IntoIterator<Item = Result<GrantRow, E>>,
    ) -> Result<Self, Partial<E>> {
        let rows = rows.into_iter().collect::<Result<Vec<_>, E>>().map_err(Partial::Unread)?;
        if rows.len() != expected {
            return Err(Partial::Count { expected, found: rows.len() });
        }
        let broken = broken_separations(policy, at, &rows);
        let with_findings = |row: GrantRow| {
            let mut findings = row.findings(policy, at);
            if let Granted::Role(name) = &row.granted {
                let names = broken.get(&row.user).into_iter().flatten();
                let concerns = |separation: &&&str| policy.separates(separation, name);
                findings.extend(names.filter(concerns).map(|name| Finding::Separation((*name).to_owned())));
            }
            (row, findings)
        };
        Ok(Self {
            tenant: tenant.into(),
            at,
            policy: policy.digest(),
            rows: rows.into_iter().map(with_findings).collect(),
        })
    }

    /// The rows, in the order in which they came, each with what there is to look at.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&GrantRow, &[Finding])> {
        self.rows.iter().map(|(row, findings)| (row, findings.as_slice()))
    }

    /// The digest of the content, as in [`to_json`](Self::to_json).
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.content().as_bytes())
    }

    /// The digest of the policy that the grants were read against: [`Policy::digest`](crate::Policy::digest).
    #[must_use]
    pub const fn policy(&self) -> Digest {
        self.policy
    }

    /// JSON on one line: `content`, and the SHA-256 of its bytes as they stand there.
    #[must_use]
    pub fn to_json(&self) -> String {
        let content = self.content();
        let digest = Digest::of(content.as_bytes());
        format!("{BEFORE}{content}{BETWEEN}{digest}{AFTER}")
    }

    /// Whether a text is an export whose content is what its digest says.
    #[must_use]
    pub fn is_intact(json: &str) -> bool {
        let inside = json.trim_end().strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
        let parts = inside.and_then(|inside| inside.rsplit_once(BETWEEN));
        parts.is_some_and(|(content, digest)| Digest::of(content.as_bytes()).to_string() == digest)
    }

    /// Comma-separated values (RFC 4180), a row a grant. A cell that a spreadsheet would take for a formula (CWE-1236) begins with
    /// an apostrophe.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::from("user,kind,name,scope,granted_by,granted_at,expires,reason,findings\r\n");
        for row in self.content_rows() {
            let of = |cell: Option<&str>| csv(cell.unwrap_or_default());
            let _ = write!(
                text,
                "{},{},{},{},{},{},{},{},{}\r\n",
                csv(&row.user),
                row.kind,
                csv(row.name),
                of(row.scope),
                of(row.granted_by.as_deref()),
                of(row.granted_at.as_deref()),
                of(row.expires.as_deref()),
                of(row.reason),
                csv(&row.findings.join("; "))
            );
        }
        text
    }

    fn content(&self) -> String {
        canonical::json(&ContentJson {
            frozen_at: time(self.at),
            grants: self.content_rows().collect(),
            policy_sha256: self.policy.to_string(),
            tenant: self.tenant.to_string(),
        })
    }

    fn content_rows(&self) -> impl Iterator<Item = RowJson<'_>> {
        self.rows.iter().map(|(row, findings)| RowJson {
            expires: row.expires.map(time),
            findings: findings.iter().map(ToString::to_string).collect(),
            granted_at: row.granted_at.map(time),
            granted_by: row.granted_by.map(|by| by.to_string()),
            kind: row.granted.kind(),
            name: row.granted.name(),
            reason: row.reason.as_deref(),
            scope: row.granted.scope(),
            user: row.user.to_string(),
        })
    }
}

/// The separations that the roles of each person break, suspended or not: what is given back counts too.
pub(super) fn broken_separations<'p, P: Permission>(
    policy: &'p Policy<P>,
    now: DateTime<Utc>,
    rows: &[GrantRow],
) -> BTreeMap<UserId, Vec<&'p str>> {
    let mut held: BTreeMap<UserId, Vec<&str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.expires.is_none_or(|until| now < until)) {
        if let Granted::Role(name) = &row.granted {
            held.entry(row.user).or_default().push(name);
        }
    }
    let broken = |names: Vec<&str>| {
        let included = policy.included(names.iter().filter_map(|name| policy.role(name)));
        let broken = policy.separations().iter().filter(|separation| separation.forbids_holding(&included));
        broken.map(|separation| separation.name()).collect::<Vec<_>>()
    };
    held.into_iter().map(|(user, names)| (user, broken(names))).filter(|(_, broken)| !broken.is_empty()).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}
