//! What could not be opened is not passed over.
use stockade_field_crypto::{BlindIndex, Sealed, Search, TenantKeys, columns};

columns! {
    pub Ssn = "drivers"."ssn": String, row = uuid::Uuid,
        index SsnIndex = "ssn_index": stockade_field_crypto::DigitsOnly => stockade_field_crypto::Approx<8>;
}

type Row = (uuid::Uuid, Sealed<<SsnIndex as BlindIndex>::Column>);

fn found(search: &Search<SsnIndex>, keys: &TenantKeys, rows: Vec<Row>) -> Vec<Row> {
    search.filter(keys, rows, |row| (&row.0, &row.1))
}

fn main() {}
