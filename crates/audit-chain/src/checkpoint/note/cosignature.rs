//! What a witness adds to a checkpoint: that it has seen this one, when, and none that contradicts it (C2SP tlog-cosignature).

use super::{Note, Signature, Signer, VerifierKey};
use crate::{Digest, Error, error::Repr};

/// Timestamped Ed25519 cosignatures, in C2SP's list of signature types.
const COSIGNATURE: u8 = 0x04;

impl Note {
    /// Adds a witness's cosignature, made at `time` in seconds since 1970-01-01 UTC. An earlier one of the same key is replaced.
    ///
    /// Checking that the checkpoint extends the last one that the witness saw comes before.
    ///
    /// # Errors
    /// [`ErrorKind::Signing`](crate::ErrorKind::Signing) if the signer fails, or what it gives is not its key's signature.
    pub async fn cosign(&mut self, witness: &impl Signer, time: u64) -> Result<(), Error> {
        let (key, message) = (witness.key(), message(self.text(), time));
        let signed = witness.sign(message.as_bytes()).await.map_err(Repr::Signing)?;
        if !key.accepts(message.as_bytes(), &signed) {
            return Err(Repr::WrongSignature.into());
        }
        let id = cosigner_id(key);
        self.signatures.retain(|signature| !signature.claims(key, id));
        let bytes = [&id[..], &time.to_be_bytes(), &signed].concat();
        self.signatures.push(Signature { name: key.name().to_owned(), bytes });
        Ok(())
    }

    /// When `witness` has cosigned this text, in seconds since 1970-01-01 UTC; `None` if it has not.
    #[must_use]
    pub fn cosigned_at(&self, witness: &VerifierKey) -> Option<u64> {
        let own = self.signatures.iter().find(|signature| signature.claims(witness, cosigner_id(witness)))?;
        let (time, signed) = own.bytes.get(4..)?.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        witness.accepts(message(self.text(), time).as_bytes(), signed.try_into().ok()?).then_some(time)
    }
}

impl Signature {
    fn claims(&self, key: &VerifierKey, id: [u8; 4]) -> bool {
        self.name == key.name() && self.bytes.starts_with(&id)
    }
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn cosigner_id(key: &VerifierKey) -> [u8; 4] {
    let hash = Digest::of(&[key.name().as_bytes(), b"\n", &[COSIGNATURE], key.as_bytes()]);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalSigner;

    #[tokio::test]
    async fn a_cosignature_is_of_one_text_one_time_and_one_key() {
        let witness = LocalSigner::from_seed("example.com/witness", &[9; 32]).unwrap();
        let mut note = Note::new("example.com/audit\n1\n").unwrap();
        assert_eq!(note.cosigned_at(witness.key()), None);
        note.cosign(&witness, 1_679_315_147).await.unwrap();
        note.cosign(&witness, 1_679_315_148).await.unwrap();
        let text = note.to_string();
        assert_eq!(text.lines().count(), 4, "the earlier one is replaced");
        let read: Note = text.parse().unwrap();
        assert_eq!(read.cosigned_at(witness.key()), Some(1_679_315_148));
        // It is no signature of the log, and none of another text or key.
        assert!(!read.is_signed_by(witness.key()));
        assert_eq!(text.replace("audit\n1", "audit\n2").parse::<Note>().unwrap().cosigned_at(witness.key()), None);
        let other = LocalSigner::from_seed("example.com/witness", &[8; 32]).unwrap();
        assert_eq!(read.cosigned_at(other.key()), None);
        let mut later = read.clone();
        let time = &mut later.signatures[0].bytes[11];
        *time ^= 1;
        assert_eq!(later.cosigned_at(witness.key()), None, "the time is signed too");
    }
}
