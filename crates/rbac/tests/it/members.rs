//! Members, their roles and exceptions in the database, on real PostgreSQL.

mod administration;
mod attacks;
mod cache;
mod invitations;
mod loading;
mod migrating;
mod races;
mod sharing;
mod support;
mod walk;
