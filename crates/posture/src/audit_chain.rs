//! Collectors that measure an audit log of `stockade-audit-chain`: `audit.verifies`, `audit.append_only`, `audit.anchored` and
//! `audit.coverage`.
//!
//! Each one reads in a transaction that is read-only and allows five seconds a statement. The connection needs the role group
//! `stockade_sealer`, which sees the entries of all tenants and changes none; [`chains()`] and [`coverage()`] also answer, about one
//! tenant, to the application in that tenant's context.

mod anchored;
mod chains;
mod coverage;
mod rules;

pub use self::{
    anchored::{anchored, checkpointed},
    chains::{Chains, chain_verified, chains},
    coverage::{Writes, coverage, last_recorded},
    rules::{rules, rules_compared},
};
