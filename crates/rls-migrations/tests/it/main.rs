//! Tests on a real PostgreSQL. `scripts/test` starts one; each test gets a database of its own.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed assumption in a test should stop the test, in its helpers too"
)]

mod apply;
mod discovery;
mod drift;
mod drill;
mod duties;
mod guards;
mod hardening;
mod isolation;
mod keys;
mod lease;
mod lint;
mod observed;
mod parentheses;
mod partitions;
mod period_close;
mod period_race;
mod plan;
mod probe;
mod probe_breaks;
mod probe_support;
mod properties;
mod read_only;
mod roles;
mod row_policies;
mod snapshot;
mod soft_delete;
mod support;
mod upgrade;
