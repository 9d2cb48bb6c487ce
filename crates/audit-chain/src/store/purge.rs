//! What a purge took, or why it took nothing.

use std::fmt;

use super::Receipt;
use crate::{PurgedRange, TenantId};

/// What a purge took from one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PurgedTenant {
    /// Whose entries.
    pub tenant: TenantId,
    /// The entry that states it.
    pub receipt: Receipt,
    /// Which numbers.
    pub ranges: Vec<PurgedRange>,
}

/// Why a purge was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PurgeRefusal {
    /// The law, or this installation, keeps entries longer than that.
    BelowFloor,
    /// Entries of that time are not sealed yet.
    Unsealed,
    /// Entries of that time are missing already: a purge would cover up who removed them.
    Incomplete,
    /// A tenant has no kept head behind them.
    Uncovered,
}

impl fmt::Display for PurgeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BelowFloor => "entries are kept longer than that",
            Self::Unsealed => "entries of that time are not sealed yet",
            Self::Incomplete => "entries of that time are missing already",
            Self::Uncovered => "a tenant has no kept head behind that time",
        })
    }
}
