//! The sample application on a real PostgreSQL, request by request.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed assumption in a test should stop the test")]

mod account;
mod administration;
mod asking;
mod browser;
mod checkpoints;
mod chromium;
mod dashboard;
mod drills;
mod encryption;
mod exports;
mod forms;
mod installation;
mod limits;
mod live;
mod load;
mod navigation;
mod operations;
mod papers;
mod people;
mod periods;
mod posture;
mod promises;
mod reach;
mod refusals;
mod resets;
mod retention;
mod routes;
mod shredding;
mod sign_in;
mod sign_in_policy;
mod staff;
mod tampering;
mod tokens;
mod warnings;
