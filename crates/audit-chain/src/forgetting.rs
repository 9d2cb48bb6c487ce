//! How the log forgets without hiding that it did.

mod erasure;
mod evidence;
mod personal;
mod purge;

pub use erasure::{ErasedValue, ErasureEvidence, ErasureRequest};
pub use personal::PersonalPaths;
pub use purge::{PurgeEvidence, PurgeRequest, PurgedRange};
