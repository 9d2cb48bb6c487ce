//! A keyring in an environment variable.

use std::env;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::keyring::LocalKeyring;

/// A keyring from an environment variable, in the form that [`LocalKeyring::parse`] reads.
///
/// The operating system keeps a copy of the variable for the life of the process, and hands it to child processes.
/// `From` makes it a [`LocalKeyring`], for code that chooses its keyring at run time.
#[derive(Debug)]
pub struct EnvKeyring(LocalKeyring);

impl EnvKeyring {
    /// Reads the keyring. A variable that is missing is an error: keys are never made up at boot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyring`](crate::ErrorKind::InvalidKeyring) if the variable is missing, empty or malformed.
    pub fn from_var(name: &str) -> Result<Self, Error> {
        let text = env::var_os(name).ok_or_else(|| Error::keyring(format!("no environment variable `{name}`")))?;
        let text = text.into_string().map(Zeroizing::new);
        let text = text.map_err(|_| Error::keyring(format!("the environment variable `{name}` is not text")))?;
        LocalKeyring::parse(&text).map(Self)
    }
}

through_local!(EnvKeyring);
