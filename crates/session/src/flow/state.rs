//! How far a sign-in has come.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    device::DeviceToken,
    id::{TenantId, UserId},
    session::Assurance,
    store::{AccountRecord, Digest, FlowRecord, Versions},
    token::PendingToken,
};

/// The states of a [`Flow`](crate::Flow). Only this crate has implementations.
pub trait State: sealed::Sealed {}

/// Somebody claims an identifier; whether it has an account is not to be seen.
pub struct Identified {
    pub(super) identifier: String,
    pub(super) account: Option<AccountRecord>,
    pub(super) device: Option<DeviceToken>,
}

/// The password was right, and a code is missing.
pub struct PasswordVerified {
    pub(super) token: PendingToken,
    pub(super) digest: Digest,
    pub(super) record: FlowRecord,
}

/// Nothing is missing. Only this state can become a session.
pub struct FullyVerified {
    pub(crate) user: UserId,
    pub(crate) tenant: TenantId,
    pub(crate) versions: Versions,
    pub(crate) assurance: Assurance,
    pub(crate) mfa_required_from: Option<DateTime<Utc>>,
    pub(crate) at: DateTime<Utc>,
}

impl FullyVerified {
    /// After a second factor, which every policy is content with.
    pub(super) fn of_flow(record: &FlowRecord, assurance: Assurance, at: DateTime<Utc>) -> Self {
        let FlowRecord { user, tenant, versions, .. } = *record;
        Self { user, tenant, versions, assurance, mfa_required_from: None, at }
    }
}

mod sealed {
    pub trait Sealed {
        const NAME: &'static str;
    }
}

macro_rules! state {
    ($($name:ident)*) => {$(
        impl sealed::Sealed for $name {
            const NAME: &'static str = stringify!($name);
        }

        impl State for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

state! { Identified PasswordVerified FullyVerified }
