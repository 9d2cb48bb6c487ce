//! field-crypto beside its peers and the floor, interleaved in one run: 20th percentiles of processor time.
//!
//! `scripts/bench field_crypto`. With `-- --test` everything runs once and small. The floor is
//! aes-gcm in place: no allocation, a counted nonce, additional data of the same length. `--features aws-lc` measures the
//! other implementation, beside the same floor and aws-lc-rs.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and says its results"
)]

use std::hint::black_box;

use aes_gcm::aead::Aead as _;
use aes_gcm::{AeadInOut as _, Aes256Gcm, KeyInit as _};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use stockade_benches::{Report, compare, measure, subject};
use stockade_field_crypto::{
    DigitsOnly, LocalKeyring, MemoryKeyStore, NonceSource, Sealed, Secret, TenantId, TenantKeys, Vault, columns,
};
use uuid::Uuid;
use zeroize::Zeroize as _;

columns! {
    /// Of any length.
    pub Bytes = "t"."bytes": Vec<u8>;
    /// As people have it.
    pub Ssn = "t"."ssn": String, row = Uuid,
        index SsnIndex = "ssn_index": DigitsOnly;
}

/// A version, a key number and a row: what is authenticated with every value.
const AAD: [u8; 22] = [9; 22];
const KEY: [u8; 32] = [7; 32];
const BATCH: usize = 1000;

/// A length in words and in bytes, and how often in a round.
type Size = (&'static str, usize, u32);

/// Keys of one tenant under both sources of nonces.
async fn keys() -> [TenantKeys; 2] {
    let tenant = TenantId::from(Uuid::from_u128(7));
    let store = MemoryKeyStore::default();
    let keyring = std::sync::Arc::new(LocalKeyring::generate("k1").expect("a keyring"));
    let [kernel, user] = [NonceSource::Kernel, NonceSource::Userspace]
        .map(|source| Vault::new(std::sync::Arc::clone(&keyring), store.clone()).with_nonces(source));
    kernel.provision(tenant).await.expect("keys");
    [kernel.tenant(tenant).await.expect("keys"), user.tenant(tenant).await.expect("keys")]
}

fn counted(nonce: &mut [u8; 12]) -> [u8; 12] {
    let [a, b, c, d, ..] = *nonce;
    nonce[..4].copy_from_slice(&(u32::from_le_bytes([a, b, c, d]).wrapping_add(1)).to_le_bytes());
    *nonce
}

/// The cipher built for every value, the parts put together, base64: what is written without a library.
fn by_hand(plain: &[u8]) -> String {
    let cipher = Aes256Gcm::new(&KEY.into());
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).expect("randomness");
    let sealed = cipher.encrypt(&nonce.into(), plain).expect("sealed");
    STANDARD.encode([&nonce[..], &sealed].concat())
}

fn open_by_hand(text: &str) -> Vec<u8> {
    let bytes = STANDARD.decode(text).expect("base64");
    let (nonce, sealed) = bytes.split_first_chunk::<12>().expect("a nonce");
    Aes256Gcm::new(&KEY.into()).decrypt(nonce.into(), sealed).expect("opened")
}

fn seal(report: &Report, (size, length, times): Size, [kernel, user]: &[TenantKeys; 2]) {
    let row = Uuid::from_u128(5);
    let plain = vec![b'5'; length];
    let secret = Secret::new(plain.clone());
    let cipher = Aes256Gcm::new(&KEY.into());
    let aws_lc = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("a key"));
    let tink = tink();
    let (mut first, mut second, mut third) = (plain.clone(), plain.clone(), plain.clone());
    let mut nonces = [[0; 12]; 2];
    let [raw_nonce, aws_nonce] = &mut nonces;
    let subjects = vec![
        subject("raw aes-gcm", || {
            let tag = cipher.encrypt_inout_detached(&counted(raw_nonce).into(), &AAD, (&mut first[..]).into());
            black_box(tag.expect("sealed"));
        }),
        subject("raw aes-gcm and getrandom", || {
            let mut nonce = [0; 12];
            getrandom::fill(&mut nonce).expect("randomness");
            let tag = cipher.encrypt_inout_detached(&nonce.into(), &AAD, (&mut second[..]).into());
            black_box(tag.expect("sealed"));
        }),
        subject("raw aws-lc-rs", || {
            let nonce = Nonce::assume_unique_for_key(counted(aws_nonce));
            let tag = aws_lc.seal_in_place_separate_tag(nonce, Aad::from(&AAD), &mut third);
            black_box(tag.expect("sealed").as_ref());
        }),
        subject("nonce of userspace", || {
            black_box(user.seal::<Bytes>(&row, black_box(&secret)).expect("sealed"));
        }),
        subject("nonce of the kernel", || {
            black_box(kernel.seal::<Bytes>(&row, black_box(&secret)).expect("sealed"));
        }),
        subject("tink-aead", || {
            black_box(tink.encrypt(black_box(&plain), &AAD).expect("sealed"));
        }),
        subject("by hand", || {
            black_box(by_hand(black_box(&plain)));
        }),
    ];
    compare(report, &format!("seal {size}"), subjects, times);
}

fn open(report: &Report, (size, length, times): Size, [keys, _]: &[TenantKeys; 2]) {
    let row = Uuid::from_u128(5);
    let plain = vec![b'5'; length];
    let sealed = keys.seal::<Bytes>(&row, &Secret::new(plain.clone())).expect("sealed");
    let cipher = Aes256Gcm::new(&KEY.into());
    let mut ciphertext = plain.clone();
    let tag = cipher.encrypt_inout_detached(&[0; 12].into(), &AAD, (&mut ciphertext[..]).into()).expect("sealed");
    let aws_lc = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("a key"));
    let tink = tink();
    let for_tink = tink.encrypt(&plain, &AAD).expect("sealed");
    let text = by_hand(&plain);
    let (mut first, mut second, mut third) = (plain.clone(), plain.clone(), plain.clone());
    let subjects = vec![
        subject("raw aes-gcm", || {
            first.copy_from_slice(&ciphertext);
            let opened = cipher.decrypt_inout_detached(&[0; 12].into(), &AAD, (&mut first[..]).into(), &tag);
            opened.expect("opened");
        }),
        subject("raw aes-gcm and overwriting", || {
            third.copy_from_slice(&ciphertext);
            let opened = cipher.decrypt_inout_detached(&[0; 12].into(), &AAD, (&mut third[..]).into(), &tag);
            opened.expect("opened");
            third[..].zeroize();
        }),
        subject("raw aws-lc-rs", || {
            second.copy_from_slice(&ciphertext);
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let opened = aws_lc.open_in_place_separate_tag(nonce, Aad::from(&AAD), &tag, &mut second);
            black_box(opened.expect("opened"));
        }),
        subject("open", || {
            black_box(keys.open(&row, black_box(&sealed)).expect("opened"));
        }),
        subject("tink-aead", || {
            black_box(tink.decrypt(black_box(&for_tink), &AAD).expect("opened"));
        }),
        subject("by hand", || {
            black_box(open_by_hand(black_box(&text)));
        }),
    ];
    compare(report, &format!("open {size}"), subjects, times);
}

/// Values of eleven bytes, per thousand.
fn batch(report: &Report, [kernel, _]: &[TenantKeys; 2]) {
    let row = Uuid::from_u128(5);
    let values: Vec<Secret<Vec<u8>>> = (0..BATCH).map(|_| Secret::new(b"078-05-1120".to_vec())).collect();
    let cipher = Aes256Gcm::new(&KEY.into());
    let mut buffer = *b"078-05-1120";
    let mut nonce = [0; 12];
    let subjects = vec![
        subject("raw aes-gcm a thousand times", || {
            for _ in 0..BATCH {
                let tag = cipher.encrypt_inout_detached(&counted(&mut nonce).into(), &AAD, (&mut buffer[..]).into());
                black_box(tag.expect("sealed"));
            }
        }),
        subject("seal_many, nonces of the kernel", || {
            let sealed: Vec<Sealed<Bytes>> =
                kernel.seal_many(values.iter().map(|value| (&row, value))).expect("sealed");
            black_box(sealed);
        }),
    ];
    compare(report, "1,000 values of 11 bytes", subjects, 3);
}

fn index(report: &Report, [keys, _]: &[TenantKeys; 2]) {
    let mac = Hmac::<Sha256>::new_from_slice(&KEY).expect("a key");
    let ssn = Secret::new("078-05-1120".to_owned());
    let subjects = vec![
        subject("raw keyed HMAC-SHA256", || {
            let mut mac = mac.clone();
            mac.update(black_box(b"078051120"));
            black_box(mac.finalize().into_bytes());
        }),
        subject("index", || {
            black_box(keys.index::<SsnIndex>(black_box(&ssn)).expect("a tag"));
        }),
    ];
    let measured = measure("blind index", subjects, 4_000);
    report.tell("blind index", &measured);
    let [(_, hmac), ..] = measured[..] else { return };
    println!("  all 10^9 social security numbers under a leaked index key: {:.1} minutes on one core", hmac / 60.0);
}

fn tink() -> Box<dyn tink_core::Aead> {
    tink_aead::init();
    let handle = tink_core::keyset::Handle::new(&tink_aead::aes256_gcm_key_template()).expect("a keyset");
    tink_aead::new(&handle).expect("a primitive")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let keys = keys().await;
    let report = Report::of(if cfg!(feature = "aws-lc") { "field_crypto_aws_lc" } else { "field_crypto" });
    for size in [("11 bytes", 11, 3_000), ("1 KiB", 1024, 1_000), ("64 KiB", 65_536, 25)] {
        seal(&report, size, &keys);
        open(&report, size, &keys);
    }
    batch(&report, &keys);
    index(&report, &keys);
}
