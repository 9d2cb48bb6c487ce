//! The key that signs checkpoints. It is never in the database: whoever may rewrite the log must not be able to sign it.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    path::Path,
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use stockade::audit_chain::LocalSigner;
use zeroize::Zeroizing;

use super::signer_name;

/// Environment variable with the seed of the signing key: base64 of 32 bytes. Without it the key is in a file.
pub const SIGNING_KEY: &str = "CHECKPOINT_KEY";

/// The key in the environment, if there is one.
pub(super) fn from_environment() -> Result<Option<LocalSigner>> {
    let text = std::env::var(SIGNING_KEY).map(Zeroizing::new).ok();
    text.map(|text| parse(&text).context(SIGNING_KEY)).transpose()
}

/// The key in this file, which is made if there is none.
pub(super) fn in_file(path: &Path) -> Result<LocalSigner> {
    let place = || path.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(seed.as_mut_slice())?;
            let text = Zeroizing::new(STANDARD.encode(seed.as_slice()));
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(place)?;
            parse(&text)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mut file = File::open(path).with_context(place)?;
            closed_to_others(&file).with_context(place)?;
            let mut text = Zeroizing::new(String::new());
            file.read_to_string(&mut text).with_context(place)?;
            parse(&text).with_context(place)
        }
        Err(error) => Err(error).with_context(place),
    }
}

#[cfg(unix)]
fn closed_to_others(file: &File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        bail!("others may read the signing key; `chmod 600` the file, or make a new key");
    }
    Ok(())
}

#[cfg(not(unix))]
fn closed_to_others(_: &File) -> Result<()> {
    Ok(())
}

/// The message never repeats the text.
fn parse(text: &str) -> Result<LocalSigner> {
    let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
    let Some(seed) = bytes.as_ref().and_then(|bytes| <&[u8; 32]>::try_from(bytes.as_slice()).ok()) else {
        bail!("the signing key is not base64 of 32 bytes");
    };
    Ok(LocalSigner::from_seed(signer_name(), seed)?)
}
