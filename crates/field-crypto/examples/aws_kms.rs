//! Tenants' keys wrapped by AWS KMS: copy [`AwsKms`] and implement [`Client`] for the client of the crate aws-sdk-kms, whose
//! `encrypt` and `decrypt` it is shaped after.
//!
//! `cargo run -p stockade-field-crypto --example aws_kms` runs it against a fake.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stockade_field_crypto::{
    DataKey, Error, KekId, Kms, MemoryKeyStore, Retry, Sealed, Secret, TenantId, Vault, WrapContext, WrappedKey,
    columns,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// `Encrypt` and `Decrypt` of AWS KMS. With aws-sdk-kms:
///
/// ```ignore
/// let answer = client.encrypt().key_id(key).plaintext(Blob::new(plaintext)).set_encryption_context(context).send().await;
/// ```
trait Client: Send + Sync {
    fn encrypt(
        &self,
        key: &str,
        plaintext: &[u8],
        context: EncryptionContext,
    ) -> impl Future<Output = Result<Vec<u8>, ClientError>> + Send;

    fn decrypt(
        &self,
        key: &str,
        ciphertext: &[u8],
        context: EncryptionContext,
    ) -> impl Future<Output = Result<Zeroizing<Vec<u8>>, ClientError>> + Send;
}

/// Authenticated by KMS and written to CloudTrail.
type EncryptionContext = BTreeMap<&'static str, String>;

/// The errors of the service that make a difference here.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
enum ClientError {
    #[error("the ciphertext is not of this key and context")]
    InvalidCiphertext,
    #[error("no such key")]
    NotFound,
    #[error("access denied")]
    AccessDenied,
    #[error("the service is throttling or not reachable")]
    Throttled,
}

/// A key of AWS KMS as the root of all keys. The name of the key encryption key is the ARN of the key.
struct AwsKms<C> {
    client: C,
    primary: KekId,
}

impl<C: Client> Kms for AwsKms<C> {
    fn primary_kek(&self) -> KekId {
        self.primary.clone()
    }

    async fn wrap(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
        let wrapped = self.client.encrypt(self.primary.as_str(), key.expose(), encryption_context(context)).await;
        let bytes = wrapped.map_err(|error| failure(error, &self.primary))?;
        Ok(WrappedKey { kek: self.primary.clone(), bytes })
    }

    async fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        // The key is named, so that KMS does not take whichever key the ciphertext names.
        let key = self.client.decrypt(wrapped.kek.as_str(), &wrapped.bytes, encryption_context(context)).await;
        DataKey::from_bytes(&key.map_err(|error| failure(error, &wrapped.kek))?)
    }
}

fn encryption_context(context: WrapContext) -> EncryptionContext {
    // What binds; the rest is for people who read CloudTrail.
    let mut pairs = BTreeMap::from([("stockade-context", STANDARD.encode(context.to_bytes()))]);
    if let WrapContext::TenantKey { tenant, key, purpose } = context {
        pairs.extend([("tenant", tenant.to_string()), ("key", key.to_string()), ("purpose", purpose.to_string())]);
    }
    pairs
}

fn failure(error: ClientError, kek: &KekId) -> Error {
    match error {
        ClientError::InvalidCiphertext => Error::key_rejected(),
        ClientError::NotFound => Error::unknown_kek(kek.clone()),
        ClientError::AccessDenied => Error::kms(error, Retry::Never),
        ClientError::Throttled => Error::kms(error, Retry::Later),
    }
}

/// Remembers what it has encrypted, and under what.
#[derive(Default)]
struct Fake {
    encrypted: Mutex<HashMap<Vec<u8>, Encrypted>>,
    failure: Mutex<Option<ClientError>>,
}

type Encrypted = (String, EncryptionContext, Vec<u8>);

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

impl Fake {
    fn available(&self, key: &str) -> Result<(), ClientError> {
        let failure = *self.failure.lock().map_err(|_| ClientError::Throttled)?;
        match key {
            ARN => failure.map_or(Ok(()), Err),
            _ if key.starts_with("arn:") => Err(ClientError::AccessDenied),
            _ => Err(ClientError::NotFound),
        }
    }
}

impl Client for Fake {
    async fn encrypt(&self, key: &str, plaintext: &[u8], context: EncryptionContext) -> Result<Vec<u8>, ClientError> {
        self.available(key)?;
        let handle = Uuid::new_v4().as_bytes().to_vec();
        let mut encrypted = self.encrypted.lock().map_err(|_| ClientError::Throttled)?;
        encrypted.insert(handle.clone(), (key.to_owned(), context, plaintext.to_vec()));
        Ok(handle)
    }

    async fn decrypt(
        &self,
        key: &str,
        ciphertext: &[u8],
        context: EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.available(key)?;
        let encrypted = self.encrypted.lock().map_err(|_| ClientError::Throttled)?;
        let found = encrypted.get(ciphertext).filter(|(under, bound, _)| (under, bound) == (&key.to_owned(), &context));
        found.map(|(_, _, plaintext)| Zeroizing::new(plaintext.clone())).ok_or(ClientError::InvalidCiphertext)
    }
}

columns! { DriverSsn = "drivers"."ssn": String; }

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "an example says what it did")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kms = AwsKms { client: Fake::default(), primary: KekId::new(ARN)? };
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

    fn kms() -> AwsKms<Fake> {
        AwsKms { client: Fake::default(), primary: KekId::new(ARN).unwrap() }
    }

    fn context(tenant: u128, key: u32, purpose: Purpose) -> WrapContext {
        WrapContext::TenantKey { tenant: Uuid::from_u128(tenant).into(), key: KeyId::new(key).unwrap(), purpose }
    }

    #[tokio::test]
    async fn a_wrapped_key_unwraps_in_its_own_context_only() {
        let (kms, key) = (kms(), DataKey::generate().unwrap());
        let own = context(1, 1, Purpose::Aead);
        let wrapped = kms.wrap(own, &key).await.unwrap();
        assert_eq!(kms.unwrap(own, &wrapped).await.unwrap().expose(), key.expose());
        for other in [
            context(2, 1, Purpose::Aead),
            context(1, 2, Purpose::Aead),
            context(1, 1, Purpose::Index),
            WrapContext::Canary,
        ] {
            assert_eq!(kms.unwrap(other, &wrapped).await.unwrap_err().kind(), ErrorKind::KeyRejected);
        }
    }

    #[tokio::test]
    async fn failures_say_whether_to_try_again() {
        let (kms, key) = (kms(), DataKey::generate().unwrap());
        let wrapped = kms.wrap(WrapContext::Canary, &key).await.unwrap();
        for (failure, kind, retryable) in [
            (ClientError::Throttled, ErrorKind::Kms, true),
            (ClientError::AccessDenied, ErrorKind::Kms, false),
            (ClientError::NotFound, ErrorKind::UnknownKek, false),
        ] {
            *kms.client.failure.lock().unwrap() = Some(failure);
            let error = kms.unwrap(WrapContext::Canary, &wrapped).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable));
        }
    }

    #[test]
    fn the_example_runs() {
        main().unwrap();
    }
}
