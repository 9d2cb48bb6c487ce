//! What the business does. Nothing here knows about pages; the tour and the web application call the same functions.

pub mod accounts;
pub mod assessments;
pub mod attacks;
pub mod checkpoints;
pub mod documents;
pub mod drill;
pub mod drivers;
pub mod encryption;
pub mod features;
pub mod helpers;
pub mod inspection;
pub mod integrations;
pub mod lanes;
pub mod ledger;
pub mod loads;
pub mod membership;
pub mod money;
pub mod people;
pub mod retention;
pub mod review;
pub mod settlements;
pub mod sharing;
pub mod shredding;
pub mod tampering;
