#![doc = include_str!("../docs/bundle.md")]

mod checkpoint;
mod forgetting;
mod header;
mod line;
mod members;
mod reader;
mod rendering;
mod report;
mod verification;
mod writer;

pub use checkpoint::BundleCheckpoint;
pub use header::BundleHeader;
pub use report::BundleReport;
pub use verification::BundleVerifier;
pub use writer::BundleWriter;

/// The longest line of a bundle, in bytes, its line feed included.
pub const MAX_LINE: usize = 1 << 26;
