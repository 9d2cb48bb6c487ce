//! Collectors that measure a schema that is declared with `stockade-rls-migrations`: `rls.*` against the declaration, `rls.probe`,
//! `period.closed` and `backup.restore`.

mod declaration;
mod drill;
mod periods;
mod probe;

pub use self::{
    declaration::declaration,
    drill::{restore_drill, restored},
    periods::periods,
    probe::{probe, probed},
};

use stockade_rls_migrations::Schema;

use crate::error::Error;

/// The error of reading a schema. A declaration that is wrong is not a trouble of the database.
fn unreadable(error: stockade_rls_migrations::Error) -> Error {
    use stockade_rls_migrations::ErrorKind;

    match error.kind() {
        ErrorKind::Declaration => Error::unavailable_because("the declaration of the schema is wrong", error),
        _ => crate::postgres::read_only::unreadable(error),
    }
}

/// A table of the schema as its findings name it.
fn dotted(schema: &Schema, table: &str) -> String {
    format!("{}.{table}", schema.name())
}
