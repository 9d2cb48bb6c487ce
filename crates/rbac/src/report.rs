//! What auditors ask for: who may do what, what changed, and what was reviewed.

mod canonical;
mod diff;
mod grants;
mod matrix;
mod review;
mod statistics;
mod text;
mod who;

pub use self::canonical::Digest;
pub use self::diff::{Diff, Difference, Direction, KeptApart, Presence};
pub use self::grants::{Finding, GrantRow, Granted};
pub use self::matrix::{Matrix, MatrixRow};
pub use self::review::{AccessReview, Partial};
pub use self::statistics::AccessStatistics;
pub use self::who::Holder;
