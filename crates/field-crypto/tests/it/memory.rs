//! What is left in the process's memory: a process of its own is looked through.

use std::fs::File;
use std::hint::black_box;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use stockade_field_crypto::{
    DataKey, Kcv, KekId, KeyRecord, KeyState, KeyStore as _, Kms as _, LocalKeyring, MemoryKeyStore, Purpose, Secret,
    TenantId, Vault, WrapContext, WrappedKey,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::support::{DriverSsn, DriverSsnIndex, DriverSsnLast4, key_id};

/// What is looked for travels and is kept masked, or the search would find itself.
fn masked(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().zip(0_u8..).map(|(byte, at)| byte ^ mask(at)).collect()
}

const fn mask(at: u8) -> u8 {
    0xa5 ^ at.wrapping_mul(29)
}

const NAMES: [&str; 5] = ["key encryption key", "tenant's key", "column's subkey", "index key", "plain text"];

fn tenant() -> TenantId {
    TenantId::from(Uuid::from_u128(7))
}

/// Either half of a secret is enough to find it: the allocator overwrites the beginning of what is released.
struct Needles(Vec<[Vec<u8>; 2]>);

impl Needles {
    /// How often each is in the writable memory of this process: on this thread's stack, and elsewhere.
    fn count(&self) -> Vec<[usize; 2]> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut memory = File::open("/proc/self/mem").unwrap();
        let mut found = vec![[0; 2]; self.0.len()];
        let mut buffer = vec![0_u8; 1 << 20];
        for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[v")) {
            let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let [mut from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
            let here = (from..to).contains(&(std::ptr::from_ref(&self).addr() as u64));
            while from < to {
                let length = usize::try_from(to - from).unwrap().min(buffer.len());
                memory.seek(SeekFrom::Start(from)).unwrap();
                let Ok(read) = memory.read(&mut buffer[..length]) else { break };
                for (halves, found) in self.0.iter().zip(&mut found) {
                    found[usize::from(!here)] += occurrences(&buffer[..read], &halves[0], 0);
                    found[usize::from(!here)] += occurrences(&buffer[..read], &halves[1], 16);
                }
                // The next part begins early enough to see what lies across the border.
                from += u64::try_from(if read < 64 { read } else { read - 32 }).unwrap();
                if read < 64 || from + 32 >= to {
                    break;
                }
            }
            // What was read is not to be found as a copy.
            buffer.fill(0);
            black_box(&buffer);
        }
        found
    }
}

/// How often the part of a secret that begins at `from` is there.
fn occurrences(memory: &[u8], needle: &[u8], from: u8) -> usize {
    let first = needle[0] ^ mask(from);
    let starts = memory.iter().enumerate().filter(|(_, byte)| **byte == first);
    let matches = |at: usize| {
        memory.get(at..at + needle.len()).is_some_and(|window| {
            window.iter().zip(from..).zip(needle).all(|((byte, at), needle)| byte ^ mask(at) == *needle)
        })
    };
    starts.filter(|(at, _)| matches(*at)).count()
}

fn subkey(key: &DataKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut info = Vec::new();
    for part in [b"stockade-field-crypto".as_slice()].iter().chain(parts) {
        info.extend_from_slice(&(part.len() as u64).to_be_bytes());
        info.extend_from_slice(part);
    }
    let mut subkey = [0; 32];
    Hkdf::<Sha256>::new(None, key.expose()).expand(&info, &mut subkey).unwrap();
    subkey
}

/// Starts the other test of this file as a process, gives it secrets, and expects that none is left there.
#[tokio::test]
async fn no_key_and_no_plain_text_is_left_in_memory() {
    let (kek, key, index_key) =
        (DataKey::generate().unwrap(), DataKey::generate().unwrap(), DataKey::generate().unwrap());
    // Digits, so that what the normalisers make of it is searched for as well.
    let plain = format!("{:032}", Uuid::new_v4().as_u128() % 10_u128.pow(32));
    let text = format!("k1:{}", STANDARD.encode(kek.expose()));
    let keyring = LocalKeyring::parse(&text).unwrap();
    let id = *tenant().as_uuid();
    let column = subkey(&key, &[b"field", &[1], b"aead", id.as_bytes(), b"drivers", b"ssn"]);

    let mut input: Vec<Vec<u8>> = Vec::new();
    for (number, purpose, key) in [(1, Purpose::Aead, &key), (2, Purpose::Index, &index_key)] {
        let context = WrapContext::TenantKey { tenant: tenant(), key: key_id(number), purpose };
        input.push(keyring.wrap(context, key).await.unwrap().bytes);
        input.push(key.kcv().as_bytes().to_vec());
    }
    input.push(masked(text.as_bytes()));
    input.extend([kek.expose(), key.expose(), &column, index_key.expose()].map(|secret| masked(secret)));
    input.push(masked(plain.as_bytes()));
    let lines: Vec<String> = input.iter().map(hex::encode).collect();

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::a_process_that_is_looked_through", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("looked through twice"), "{told}");
}

#[tokio::test]
#[ignore = "run as a process of its own by the other test"]
async fn a_process_that_is_looked_through() {
    let input: Vec<Vec<u8>> = std::io::stdin().lines().map(|line| hex::decode(line.unwrap()).unwrap()).collect();
    let [wrapped, kcv, wrapped_index, kcv_index, keyring, secrets @ ..] = &input[..] else { panic!("ten lines") };
    let needles = Needles(secrets.iter().map(|secret| [secret[..16].to_vec(), secret[16..].to_vec()]).collect());
    assert_eq!(needles.0.len(), NAMES.len());

    use_secrets(&needles, [(wrapped, kcv), (wrapped_index, kcv_index)], keyring, &secrets[4]).await;
    for (name, [stack, elsewhere]) in NAMES.iter().zip(needles.count()) {
        assert_eq!(elsewhere, 0, "the {name} is left in memory");
        // aes-gcm works on the stack: what a value leaves there is overwritten by later calls.
        let spread = ["column's subkey", "plain text"].contains(name) && !cfg!(feature = "aws-lc");
        assert!(stack == 0 || spread, "the {name} is left on the stack");
    }
    println!("looked through twice");
}

/// A copy of exact size of what is masked.
fn unmasked(masked: &[u8]) -> String {
    let mut text = String::with_capacity(masked.len());
    text.extend(masked.iter().zip(0_u8..).map(|(byte, at)| char::from(byte ^ mask(at))));
    text
}

async fn use_secrets(needles: &Needles, keys: [(&Vec<u8>, &Vec<u8>); 2], keyring: &[u8], plain: &[u8]) {
    let store = MemoryKeyStore::default();
    for ((bytes, kcv), (number, purpose)) in keys.into_iter().zip([(1, Purpose::Aead), (2, Purpose::Index)]) {
        let wrapped = WrappedKey { kek: KekId::new("k1").unwrap(), bytes: bytes.clone() };
        let kcv = Kcv::from(<[u8; 16]>::try_from(kcv.as_slice()).unwrap());
        let record = KeyRecord::new(tenant(), key_id(number), purpose, KeyState::Active(wrapped), kcv);
        let _ = store.insert(&record).await.unwrap();
    }
    let text = Zeroizing::new(unmasked(keyring));
    let vault = Vault::new(LocalKeyring::parse(&text).unwrap(), store);
    drop(text);
    let keys = vault.tenant(tenant()).await.unwrap();
    let row = Uuid::from_u128(5);
    let value = Secret::new(unmasked(plain));
    let sealed = keys.seal::<DriverSsn>(&row, &value).unwrap();
    let many = keys.seal_many::<DriverSsn>([(&row, &value), (&row, &value)]).unwrap();
    let opened = keys.open(&row, &sealed).unwrap();
    assert_eq!(opened.expose().len(), 32);
    keys.open(&row, &many[1]).unwrap();
    keys.open(&Uuid::nil(), &sealed).unwrap_err();
    keys.rebind(&row, &Uuid::nil(), &sealed).unwrap();
    keys.index::<DriverSsnIndex>(&value).unwrap();
    let search = keys.search::<DriverSsnLast4>(&value).unwrap();
    assert!(search.matches(&keys, &row, &sealed).unwrap());
    vault.evict(tenant());
    vault.tenant(tenant()).await.unwrap();

    // The control: while they are in use the search finds them.
    for (name, [_, elsewhere]) in NAMES.iter().zip(needles.count()) {
        assert!(elsewhere > 0, "the {name} is not found while it is in use: the search is blind");
    }
}
