//! A freight brokerage desk: several tenants, one database, every Stockade crate at work.
//!
//! Read it in this order: [`schema`] declares what the database enforces, [`app`] wires the crates together,
//! [`authority`] says who asks and what they may do, [`reach`] which rows that covers, [`desk`] is a signed-in person inside one tenant's transaction, [`domain`] holds what the business does,
//! [`web`] a file per page, and [`tour`] the whole story for a terminal.

pub mod app;
pub mod authority;
pub mod columns;
pub mod controls;
pub mod database;
pub mod desk;
pub mod domain;
pub mod evidence;
pub mod limits;
pub mod live;
pub mod outbox;
pub mod permissions;
pub mod reach;
pub mod schema;
pub mod secrets;
pub mod seed;
pub mod tour;
pub mod watch;
pub mod web;
