//! Searching for equal values without opening them.

mod global;
mod kind;
mod normalise;
mod plan;
mod search;
mod tag;

pub use self::global::GlobalIndexKeys;
pub use self::kind::{Approx, Global, IndexKind, PerTenant, Unique};
pub use self::normalise::{DigitsOnly, LastN, LowerTrim, Nfkc, Normaliser};
pub use self::plan::IndexPlan;
pub(crate) use self::search::term;
pub use self::search::{Matches, Search};
pub use self::tag::IndexTag;
use crate::column::Column;

/// A blind index over a column: a keyed hash of the normalised value, by which equal values are found.
/// [`columns!`](crate::columns) writes the implementation.
///
/// Column, name, normaliser and kind are part of the key, so that changing one of them makes another index.
///
/// Who holds the index key and the database can hash every possible value: all 10^9 social security numbers in about
/// two minutes on one core (`benches/benches/field_crypto.rs` measures it). The key is wrapped like any other and never
/// leaves the process; an [`Approx`] index leaves such a thief with several values for each tag.
pub trait BlindIndex: 'static {
    /// The name of the column that holds the tags.
    const NAME: &'static str;
    /// The column that is indexed.
    type Column: Column;
    /// What makes different spellings of a value equal.
    type Normaliser: Normaliser;
    /// How precise the tags are, and whether they are those of one tenant.
    type Kind: IndexKind;
}
