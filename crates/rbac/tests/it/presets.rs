//! The policies in `presets/`, one test for each sentence that is said about them.

mod approval;
mod brokerage;
mod trucking;

use stockade_rbac::{Permission, Policy};

fn preset<P: Permission>(source: &str) -> Policy<P> {
    Policy::compile(source).unwrap_or_else(|error| panic!("{error}"))
}
