//! What recording gives back.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{Digest, Link};

/// What the caller has in hand when an entry is recorded. Kept or shipped elsewhere, it proves that
/// the entry was made, also before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The entry.
    pub entry_id: Uuid,
    /// Its leaf hash.
    pub leaf: Digest,
    /// When it was recorded, to the millisecond.
    pub recorded_at: DateTime<Utc>,
    /// Its place in the chain, where recording seals at once; `None` where a sealer does it later.
    pub link: Option<Link>,
}
