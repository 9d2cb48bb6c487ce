//! Identifiers, one type each, so that they cannot be swapped.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::{Error, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier as a plain UUID.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id! {
    /// A person or machine that signs in. The application chooses it.
    UserId
}
id! {
    /// The tenant that an account belongs to. The application chooses it.
    TenantId
}
id! {
    /// The public name of a session (a UUIDv7, RFC 9562), for pages and audit entries. It opens nothing.
    SessionId
}

id! {
    /// The public name of an API token (a UUIDv7), for pages and audit entries. It opens nothing.
    ApiTokenId
}

id! {
    /// The public name of an impersonation (a UUIDv7), for pages and audit entries. It opens nothing.
    ImpersonationId
}

macro_rules! generate {
    ($($name:ident)*) => {$(
        impl $name {
            pub(crate) fn generate(now: DateTime<Utc>) -> Result<Self> {
                uuid_v7(now).map(Self)
            }
        }
    )*};
}

generate! { SessionId ApiTokenId ImpersonationId }

fn uuid_v7(now: DateTime<Utc>) -> Result<Uuid> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(Error::random)?;
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}
