//! What auditors are given.

mod diff;
mod matrix;
mod review;
mod who;
