//! The text of one column is not that of another.
use stockade_field_crypto::{SealedText, columns};

columns! {
    pub Ssn = "drivers"."ssn": String;
    pub BankAccount = "drivers"."bank_account": String;
}

fn moved(ssn: SealedText<Ssn>) -> SealedText<BankAccount> {
    ssn
}

fn main() {}
