//! What a verification found.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Head, TenantId};

/// One thing that is not as it must be, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whose chain.
    pub tenant: TenantId,
    /// The number in the chain; `None` for an entry that has no number yet.
    pub seq: Option<u64>,
    /// The entry, where one is known.
    pub entry_id: Option<Uuid>,
    /// What it is.
    pub finding: Finding,
}

/// What can be found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The link does not follow from its parts, or not from the link before.
    LinkBroken,
    /// Links are missing: the verdict's `seq` up to and including `through`.
    LinkMissing {
        /// The last missing number.
        through: u64,
    },
    /// A second link claims a number that has been taken.
    Fork,
    /// The stored head is not the end of the links, or there is none.
    HeadMismatch,
    /// A head that was kept elsewhere is not in this chain: history was written anew.
    HistoryReplaced,
    /// The tree over the chain's leaves has another root than the one that was signed with the kept head.
    TreeMismatch,
    /// The chain ends before a head that was kept elsewhere.
    Truncated {
        /// The number of the kept head.
        kept: u64,
    },
    /// The entry is not what was sealed.
    ContentAltered,
    /// The entry is gone, and no evidence of a purge covers it; its link is still there. Without a number: its queue row is.
    EntryMissing,
    /// The entry belongs to another tenant or is not the one that the link names.
    ForeignEntry,
    /// The personal value at this path is not what was recorded.
    PersonalAltered {
        /// Where the value belongs, as in
        /// [`Record::personal_paths`](crate::Record::personal_paths).
        path: String,
    },
    /// The personal value at this path is gone, and no evidence of an erasure covers it.
    PersonalMissing {
        /// Where the value belongs.
        path: String,
    },
    /// A checkpoint that a trusted key signed does not commit to this entry or head.
    NotIncluded,
    /// The entry that states what was forgotten is not in this bundle, nor is its place proven.
    EvidenceMissing,
    /// The file that was handed over is not the one that was written.
    FileAltered,
    /// Evidence of an erasure that this entry of the chain does not state, or whose entry is none of this chain. It covers
    /// nothing.
    ForgedErasure,
    /// Evidence of a purge that this entry of the chain does not state, whose entry is none of this chain, or that the kept
    /// links contradict. It covers nothing.
    ForgedPurge,
    /// The entry was not sealed in time: no sealer is at work, or the entry went around it.
    UnsealedOverdue {
        /// When the entry was recorded.
        recorded_at: DateTime<Utc>,
    },
    /// The entry has a format that this version does not know. Neither right nor wrong.
    UnknownFormat {
        /// The format's number.
        format: u16,
    },
}

/// The result of a verification in one word. Ordered: the worst finding decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conclusion {
    /// Everything that was looked at is as it was recorded.
    Intact,
    /// Nothing contradicts the log, and something in it cannot be vouched for: not sealed in time,
    /// or of an unknown format.
    Unverifiable,
    /// Something was changed, removed, inserted or moved.
    Tampered,
}

/// The result of a verification of one tenant's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub(crate) tenant: TenantId,
    pub(crate) checked: u64,
    pub(crate) unsealed: u64,
    pub(crate) head: Option<Head>,
    pub(crate) erased: u64,
    pub(crate) purged: u64,
    pub(crate) lost: u64,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) suppressed: u64,
    pub(crate) conclusion: Conclusion,
}

impl Finding {
    /// What this finding alone says about the log.
    #[must_use]
    pub const fn conclusion(&self) -> Conclusion {
        match self {
            Self::UnsealedOverdue { .. } | Self::UnknownFormat { .. } | Self::EvidenceMissing => {
                Conclusion::Unverifiable
            }
            _ => Conclusion::Tampered,
        }
    }
}

impl Report {
    /// Whether nothing at all was found.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.conclusion == Conclusion::Intact
    }

    /// The result in one word.
    #[must_use]
    pub const fn conclusion(&self) -> Conclusion {
        self.conclusion
    }

    /// Whose chain was verified.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// How many links were checked.
    #[must_use]
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// How many entries wait to be sealed, those in time included.
    #[must_use]
    pub const fn unsealed(&self) -> u64 {
        self.unsealed
    }

    /// How many personal values are gone, and covered by evidence of an erasure.
    #[must_use]
    pub const fn erased(&self) -> u64 {
        self.erased
    }

    /// How many entries are gone, and covered by evidence of a purge.
    #[must_use]
    pub const fn purged(&self) -> u64 {
        self.purged
    }

    /// How many entries the restore of a backup lost, as an entry states and the verifier was told to accept.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The stored head; `None` if the tenant has none. Worth keeping outside the database when the
    /// report is intact.
    #[must_use]
    pub const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// What was found, in the order of the chain, up to the limit. What has no number is last.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// How many more verdicts there were than the limit let through.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tenant {}, ", self.tenant)?;
        match (self.seq, self.entry_id) {
            (Some(seq), _) => write!(f, "entry {seq}: ")?,
            (None, Some(id)) => write!(f, "unsealed entry {id}: ")?,
            (None, None) => {}
        }
        self.finding.fmt(f)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkBroken => f.write_str("the link is broken"),
            Self::LinkMissing { through } => write!(f, "links up to {through} are missing"),
            Self::Fork => f.write_str("a second link claims this number"),
            Self::HeadMismatch => f.write_str("the stored head is not the end of the chain"),
            Self::HistoryReplaced => f.write_str("the kept head is not in this chain"),
            Self::TreeMismatch => f.write_str("the tree has another root than the signed one"),
            Self::Truncated { kept } => write!(f, "the chain ends before the kept head {kept}"),
            Self::ContentAltered => f.write_str("the entry was altered"),
            Self::EntryMissing => f.write_str("the entry is missing"),
            Self::ForeignEntry => f.write_str("the link points to an entry of another place"),
            Self::PersonalAltered { path } => write!(f, "the personal value `{path}` was altered"),
            Self::PersonalMissing { path } => write!(f, "the personal value `{path}` is missing"),
            Self::NotIncluded => f.write_str("the signed checkpoint does not commit to it"),
            Self::EvidenceMissing => f.write_str("the entry that states what was forgotten is not here"),
            Self::FileAltered => f.write_str("the file is not the one that was written"),
            Self::ForgedErasure => f.write_str("the evidence of an erasure does not hold"),
            Self::ForgedPurge => f.write_str("the evidence of a purge does not hold"),
            Self::UnsealedOverdue { recorded_at } => write!(f, "not sealed since {}", recorded_at.to_rfc3339()),
            Self::UnknownFormat { format } => write!(f, "format {format} is unknown to this version"),
        }
    }
}
