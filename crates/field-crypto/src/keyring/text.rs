//! The text of a keyring: `ID:BASE64` entries, separated by commas or line ends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::data_key::DataKey;
use crate::error::Error;
use crate::id::KekId;

type Entry = (KekId, DataKey);

/// The entries in their order. Errors number an entry and never repeat its text, which may be a key.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let lines = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    for (number, entry) in (1..).zip(lines) {
        let (name, key) =
            parse(entry).map_err(|what| Error::keyring(format!("entry {number} of the keyring {what}")))?;
        if entries.iter().any(|(known, known_key)| *known == name || known_key.expose() == key.expose()) {
            return Err(Error::keyring(format!("entry {number} of the keyring repeats an earlier name or key")));
        }
        entries.push((name, key));
    }
    Ok(entries)
}

fn parse(entry: &str) -> Result<Entry, &'static str> {
    // Base64 has no colon, so the last one ends the name: ARNs have colons.
    let (name, encoded) = entry.rsplit_once(':').ok_or("is not of the form `ID:BASE64`")?;
    let name = KekId::new(name).map_err(|_| "has no valid name")?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| "is not base64")?);
    let key = DataKey::from_bytes(&bytes).map_err(|_| "is not a key of 32 bytes")?;
    match key.expose().split_first() {
        Some((first, rest)) if rest.iter().any(|byte| byte != first) => Ok((name, key)),
        _ => Err("is a placeholder: all bytes of its key are the same"),
    }
}
