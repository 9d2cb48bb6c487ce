//! A keyring in a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::keyring::LocalKeyring;

/// A keyring from a file that only its owner can access, in the form that [`LocalKeyring::parse`] reads.
///
/// `From` makes it a [`LocalKeyring`], for code that chooses its keyring at run time.
#[derive(Debug)]
pub struct FileKeyring(LocalKeyring);

/// Room for some two hundred entries, and too little for a device file to fill memory.
const MAX_LEN: usize = 64 * 1024;

impl FileKeyring {
    /// Reads the keyring.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyring`](crate::ErrorKind::InvalidKeyring) if the file cannot be read, has a mode that
    /// lets its group or others do anything (`chmod 600` is right), is longer than 64 KiB, or is malformed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let unreadable = |source: io::Error| {
            Error::keyring_source(format!("the keyring `{}` could not be read", path.display()), source)
        };
        let mut file = File::open(path).map_err(unreadable)?;
        // Of the opened file, not of the path: the two can differ when somebody is quick.
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(Error::keyring(format!(
                "the keyring `{}` is open to others than its owner: its mode must be 0600",
                path.display()
            )));
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_LEN + 1));
        let length = file.by_ref().take(MAX_LEN as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
        if length > MAX_LEN {
            return Err(Error::keyring(format!("the keyring `{}` is too long", path.display())));
        }
        LocalKeyring::parse(&text).map(Self)
    }
}

through_local!(FileKeyring);
