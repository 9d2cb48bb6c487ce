//! What the databases have in common.

#[cfg(feature = "checkpoint")]
pub(crate) mod checkpointing;
mod csv;
mod erasure;
#[cfg(feature = "bundle")]
pub(crate) mod exported;
mod hold;
mod purge;
mod receipt;
mod row;
mod search;
mod shown;
pub(crate) mod stored;

pub use csv::csv;
#[cfg(fuzzing)]
pub use csv::csv_line;
#[cfg(all(feature = "bundle", feature = "postgres"))]
pub(crate) use csv::lines as csv_lines;
pub use erasure::{Erasure, Subject};
pub use hold::LegalHold;
pub use purge::{PurgeRefusal, PurgedTenant};
pub use receipt::Receipt;
pub use row::AuditRow;
pub use search::{Cursor, Filter, Page};
pub(crate) use shown::shown;
pub(crate) use stored::Stored;
