//! Key encryption keys that the application itself holds.

/// Makes a wrapper of [`LocalKeyring`] a [`Kms`](crate::Kms) that does as the keyring inside does.
macro_rules! through_local {
    ($wrapper:ty) => {
        impl From<$wrapper> for $crate::LocalKeyring {
            fn from(keyring: $wrapper) -> Self {
                keyring.0
            }
        }

        impl $crate::Kms for $wrapper {
            fn primary_kek(&self) -> $crate::KekId {
                self.0.primary_kek()
            }

            fn wrap(
                &self,
                context: $crate::WrapContext,
                key: &$crate::DataKey,
            ) -> impl Future<Output = Result<$crate::WrappedKey, $crate::Error>> + Send {
                self.0.wrap(context, key)
            }

            fn unwrap(
                &self,
                context: $crate::WrapContext,
                wrapped: &$crate::WrappedKey,
            ) -> impl Future<Output = Result<$crate::DataKey, $crate::Error>> + Send {
                self.0.unwrap(context, wrapped)
            }
        }
    };
}

mod env;
#[cfg(unix)]
mod file;
mod local;
mod text;

pub use self::env::EnvKeyring;
#[cfg(unix)]
pub use self::file::FileKeyring;
pub use self::local::LocalKeyring;
