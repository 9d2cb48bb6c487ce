//! Tenants' keys wrapped by the Transit engine of Vault or OpenBao: copy [`VaultTransit`] and implement [`Client`] with the
//! HTTP client that the application has.
//!
//! `cargo run -p stockade-field-crypto --example vault_transit` runs it against a fake.

use std::collections::HashMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stockade_field_crypto::{
    DataKey, Error, KekId, Kms, MemoryKeyStore, Retry, Sealed, Secret, TenantId, Vault, WrapContext, WrappedKey,
    columns,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// `POST /v1/transit/encrypt/:name` and `/v1/transit/decrypt/:name`. All texts but the ciphertext are base64.
trait Client: Send + Sync {
    /// `{"plaintext": .., "associated_data": ..}`, answered by `data.ciphertext`.
    fn encrypt(
        &self,
        name: &str,
        plaintext: &str,
        associated_data: &str,
    ) -> impl Future<Output = Result<String, Refusal>> + Send;

    /// `{"ciphertext": .., "associated_data": ..}`, answered by `data.plaintext`.
    fn decrypt(
        &self,
        name: &str,
        ciphertext: &str,
        associated_data: &str,
    ) -> impl Future<Output = Result<Zeroizing<String>, Refusal>> + Send;
}

/// An answer that is not 200; status 0 stands for no answer.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("transit answered with status {0}")]
struct Refusal(u16);

/// A key of a Transit engine as the root of all keys. Its versions are Vault's own affair: the ciphertext names the
/// one that was used, `vault:v1:..`. The key must be of a type with associated data, such as `aes256-gcm96`.
struct VaultTransit<C> {
    client: C,
    primary: KekId,
}

impl<C: Client> Kms for VaultTransit<C> {
    fn primary_kek(&self) -> KekId {
        self.primary.clone()
    }

    async fn wrap(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
        let plaintext = Zeroizing::new(STANDARD.encode(key.expose()));
        let ciphertext = self.client.encrypt(self.primary.as_str(), &plaintext, &associated(context)).await;
        let ciphertext = ciphertext.map_err(failure)?;
        Ok(WrappedKey { kek: self.primary.clone(), bytes: ciphertext.into_bytes() })
    }

    async fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        let ciphertext = str::from_utf8(&wrapped.bytes).map_err(|_| Error::key_rejected())?;
        let plaintext = self.client.decrypt(wrapped.kek.as_str(), ciphertext, &associated(context)).await;
        let key = STANDARD.decode(plaintext.map_err(failure)?.as_str()).map_err(|_| Error::key_rejected())?;
        DataKey::from_bytes(&Zeroizing::new(key))
    }
}

fn associated(context: WrapContext) -> String {
    STANDARD.encode(context.to_bytes())
}

/// Transit answers 400 for what does not authenticate, and for a key that it does not have.
fn failure(refusal: Refusal) -> Error {
    match refusal.0 {
        400 => Error::key_rejected(),
        0 | 412 | 429 | 500..=599 => Error::kms(refusal, Retry::Later),
        _ => Error::kms(refusal, Retry::Never),
    }
}

/// Remembers what it has encrypted, and under what.
#[derive(Default)]
struct Fake {
    encrypted: Mutex<HashMap<String, [String; 3]>>,
    failure: Mutex<Option<Refusal>>,
}

impl Fake {
    fn available(&self) -> Result<(), Refusal> {
        let failure = *self.failure.lock().map_err(|_| Refusal(0))?;
        failure.map_or(Ok(()), Err)
    }
}

impl Client for Fake {
    async fn encrypt(&self, name: &str, plaintext: &str, associated_data: &str) -> Result<String, Refusal> {
        self.available()?;
        let ciphertext = format!("vault:v1:{}", STANDARD.encode(Uuid::new_v4()));
        let entry = [name, associated_data, plaintext].map(str::to_owned);
        self.encrypted.lock().map_err(|_| Refusal(0))?.insert(ciphertext.clone(), entry);
        Ok(ciphertext)
    }

    async fn decrypt(&self, name: &str, ciphertext: &str, associated_data: &str) -> Result<Zeroizing<String>, Refusal> {
        self.available()?;
        let encrypted = self.encrypted.lock().map_err(|_| Refusal(0))?;
        match encrypted.get(ciphertext) {
            Some([under, bound, plaintext]) if under == name && bound == associated_data => {
                Ok(Zeroizing::new(plaintext.clone()))
            }
            _ => Err(Refusal(400)),
        }
    }
}

columns! { DriverSsn = "drivers"."ssn": String; }

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example says what it did")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kms = VaultTransit { client: Fake::default(), primary: KekId::new("stockade")? };
    let vault = Vault::new(kms, MemoryKeyStore::default());
    vault.self_check().await?;
    let tenant = TenantId::from(Uuid::now_v7());
    vault.provision(tenant).await?;

    let keys = vault.tenant(tenant).await?;
    let row = Uuid::now_v7();
    let sealed: Sealed<DriverSsn> = keys.seal(&row, &Secret::new("078-05-1120".to_owned()))?;
    println!("{} is {}", sealed.to_text(), keys.open(&row, &sealed)?.masked());
    Ok(())
}

#[cfg(test)]
mod tests {
    use stockade_field_crypto::{ErrorKind, KeyId, Purpose};

    use super::*;

    fn kms() -> VaultTransit<Fake> {
        VaultTransit { client: Fake::default(), primary: KekId::new("stockade").unwrap() }
    }

    fn context(tenant: u128, key: u32, purpose: Purpose) -> WrapContext {
        WrapContext::TenantKey { tenant: Uuid::from_u128(tenant).into(), key: KeyId::new(key).unwrap(), purpose }
    }

    #[tokio::test]
    async fn a_wrapped_key_unwraps_in_its_own_context_only() {
        let (kms, key) = (kms(), DataKey::generate().unwrap());
        let own = context(1, 1, Purpose::Aead);
        let wrapped = kms.wrap(own, &key).await.unwrap();
        assert!(wrapped.bytes.starts_with(b"vault:v1:"));
        assert_eq!(kms.unwrap(own, &wrapped).await.unwrap().expose(), key.expose());
        for other in [
            context(2, 1, Purpose::Aead),
            context(1, 2, Purpose::Aead),
            context(1, 1, Purpose::Index),
            WrapContext::Canary,
        ] {
            assert_eq!(kms.unwrap(other, &wrapped).await.unwrap_err().kind(), ErrorKind::KeyRejected);
        }
        let not_text = WrappedKey { kek: wrapped.kek, bytes: vec![0xff; 20] };
        assert_eq!(kms.unwrap(own, &not_text).await.unwrap_err().kind(), ErrorKind::KeyRejected);
    }

    #[tokio::test]
    async fn failures_say_whether_to_try_again() {
        let (kms, key) = (kms(), DataKey::generate().unwrap());
        let wrapped = kms.wrap(WrapContext::Canary, &key).await.unwrap();
        for (status, kind, retryable) in [
            (0, ErrorKind::Kms, true),
            (429, ErrorKind::Kms, true),
            (503, ErrorKind::Kms, true),
            (403, ErrorKind::Kms, false),
            (400, ErrorKind::KeyRejected, false),
        ] {
            *kms.client.failure.lock().unwrap() = Some(Refusal(status));
            let error = kms.unwrap(WrapContext::Canary, &wrapped).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status}");
        }
    }

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }
}
