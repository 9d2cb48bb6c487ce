//! The columns that are sealed, each a type of its own.

stockade::field_crypto::columns! {
    /// A driver's social security number.
    pub DriverSsn = "drivers"."ssn": String;
    /// The bank account that a driver's settlements are paid to.
    pub DriverBankAccount = "drivers"."bank_account": String;
    /// The seed of a person's one-time codes, in the session crate's table.
    pub TotpSeed = "users"."totp_seed": Vec<u8>;
}
