//! Members, their roles and exceptions in the database, on real PostgreSQL.

mod loading;
mod support;
