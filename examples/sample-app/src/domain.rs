//! What the business does. Nothing here knows about pages; the tour and the web application call the same functions.

pub mod accounts;
pub mod attacks;
pub mod checkpoints;
pub mod drivers;
pub mod encryption;
pub mod inspection;
pub mod integrations;
pub mod ledger;
pub mod loads;
pub mod membership;
pub mod money;
pub mod people;
pub mod retention;
pub mod review;
pub mod sharing;
pub mod shredding;
pub mod tampering;
