//! What the benchmarks in `benches/` share: subjects that take turns, what they have taken, and one place that tells the results.

#![expect(clippy::print_stdout, reason = "a benchmark says its results")]

mod compare;
mod database;
mod median;
mod meter;
mod report;
mod row;
mod times;

pub use compare::{Subject, compare, measure, subject, thread_time};
pub use database::{Database, run};
pub use median::median;
pub use meter::{Meter, Spent, resident};
pub use report::Report;
pub use times::Times;
