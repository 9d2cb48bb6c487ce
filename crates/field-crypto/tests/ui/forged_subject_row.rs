//! Nobody makes the row of a subject without its key.
use stockade_field_crypto::{OfSubject, SubjectRow};
use uuid::Uuid;

fn forge(row: &Uuid) -> OfSubject<Uuid> {
    OfSubject::of(row)
}

fn main() {}
