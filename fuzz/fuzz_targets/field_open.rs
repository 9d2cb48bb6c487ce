//! Opening under real keys: never panics, and opens nothing but what was sealed, whatever is changed about it.
#![no_main]

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use stockade_field_crypto::{
    Approx, IndexTag, KeyId, LastN, LocalKeyring, MemoryKeyStore, OpenError, Sealed, Secret, TenantId, TenantKeys,
    Vault, columns,
};
use uuid::Uuid;

columns! {
    pub Note = "notes"."body": String, row = Uuid,
        index NoteIndex = "body_index": LastN<4> => Approx<12>;
}

/// The sealed value that the input is applied to, and its keys.
static KEYS: LazyLock<(TenantKeys, Vec<u8>)> = LazyLock::new(|| {
    let vault = Vault::new(LocalKeyring::generate("k1").expect("a keyring"), MemoryKeyStore::default());
    let tenant = TenantId::from(Uuid::from_u128(7));
    ready(vault.provision(tenant)).expect("keys");
    let keys = ready(vault.tenant(tenant)).expect("keys");
    let sealed: Sealed<Note> = keys.seal(&Uuid::nil(), &Secret::new("078-05-1120".to_owned())).expect("sealed");
    let bytes = sealed.as_bytes().to_vec();
    (keys, bytes)
});

/// Nothing here waits: the keyring and the store are in memory.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (from, change) = input;
    let (keys, original) = &*KEYS;
    let mut changed = original.clone();
    for (byte, change) in changed.iter_mut().skip(from.into()).zip(&change) {
        *byte ^= change;
    }
    let headed = [&original[..5], &change].concat();
    for bytes in [changed, headed, change.clone()] {
        let opened = Sealed::<Note>::from_bytes(bytes.clone()).and_then(|sealed| keys.open(&Uuid::nil(), &sealed));
        match opened {
            Ok(plain) => assert!(bytes == *original && plain.expose() == "078-05-1120"),
            Err(error) => assert!(error == OpenError::Failed && bytes != *original),
        }
    }
    // A stored tag has one form.
    if let Some(tag) = IndexTag::<NoteIndex>::from_bytes(&change) {
        assert_eq!(tag.as_bytes(), change);
    }
    // Whatever the text, it is sealed and opened as it is, or refused as sealed already.
    if let Ok(text) = String::from_utf8(change) {
        let secret = Secret::new(text);
        if let Ok(sealed) = keys.seal::<Note>(&Uuid::nil(), &secret) {
            assert_eq!(sealed.key_id(), KeyId::new(1).expect("not 0"));
            assert_eq!(keys.open(&Uuid::nil(), &sealed).expect("opened").expose(), secret.expose());
        }
        let _ = keys.search::<NoteIndex>(&secret);
    }
});
