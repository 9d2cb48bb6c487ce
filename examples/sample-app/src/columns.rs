//! The columns that are sealed, each a type of its own, and where they are.

use stockade::field_crypto::{
    DigitsOnly,
    postgres::{SealedColumns, Site},
};

stockade::field_crypto::columns! {
    /// A driver's social security number, under the driver's own key, with an index to find the driver by it.
    pub DriverSsn = "drivers"."ssn": String, row = uuid::Uuid, subject,
        index DriverSsnIndex = "ssn_index": DigitsOnly;
    /// The bank account that a driver's settlements are paid to, under the driver's own key.
    pub DriverBankAccount = "drivers"."bank_account": String, row = uuid::Uuid, subject;
    /// The OAuth token of a service that the brokerage is connected to, under the tenant's key.
    pub IntegrationToken = "integrations"."oauth_token": String;
    /// The seed of a person's one-time codes, in the session crate's table, under the platform's key.
    pub TotpSeed = "users"."totp_seed": Vec<u8>;
}

/// Every sealed column of the application's own tables: what rotation, coverage and shredding work on.
#[must_use]
pub fn registry() -> SealedColumns {
    SealedColumns::new()
        .column::<DriverSsn>(Site::table("freight.drivers").index::<DriverSsnIndex>())
        .column::<DriverBankAccount>(Site::table("freight.drivers"))
        .column::<IntegrationToken>(Site::table("freight.integrations"))
}
