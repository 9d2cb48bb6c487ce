//! Keyrings from text, files and the environment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::{env, process};

use stockade_field_crypto::{DataKey, EnvKeyring, ErrorKind, FileKeyring, KekId, Kms as _, LocalKeyring, WrapContext};

const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const VARIABLE: &str = "FIELD_CRYPTO_KEKS_OF_A_TEST";

/// A file of this test that is removed when the test ends.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &str, mode: u32) -> Self {
        let path = env::temp_dir().join(format!("field-crypto-{}-{name}", process::id()));
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

async fn works(keyring: LocalKeyring, primary: &str) {
    let key = DataKey::generate().unwrap();
    let wrapped = keyring.wrap(WrapContext::Canary, &key).await.unwrap();
    assert_eq!(wrapped.kek.as_str(), primary);
    assert_eq!(keyring.unwrap(WrapContext::Canary, &wrapped).await.unwrap().kcv(), key.kcv());
}

#[tokio::test]
async fn the_first_entry_is_the_primary() {
    works(LocalKeyring::parse(&format!("k1:{K1}")).unwrap(), "k1").await;
    works(LocalKeyring::parse(&format!(" k2:{K2} ,\n k1:{K1}\n\n")).unwrap(), "k2").await;
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    works(LocalKeyring::parse(&format!("{arn}:{K1}")).unwrap(), arn).await;
}

#[test]
fn malformed_keyrings_are_refused_without_repeating_them() {
    let short = K1.strip_prefix("AAEC").unwrap();
    let uniform = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
    for (text, what) in [
        (String::new(), "the keyring is empty"),
        (" ,\n".to_owned(), "the keyring is empty"),
        (K1.to_owned(), "entry 1 of the keyring is not of the form `ID:BASE64`"),
        (format!("k1:{K1},{K2}"), "entry 2 of the keyring is not of the form `ID:BASE64`"),
        (format!(":{K1}"), "entry 1 of the keyring has no valid name"),
        (format!("k 1:{K1}"), "entry 1 of the keyring has no valid name"),
        (format!("{}:{K1}", "k".repeat(256)), "entry 1 of the keyring has no valid name"),
        (format!("k1:{short}"), "entry 1 of the keyring is not a key of 32 bytes"),
        (format!("k1:{}", K1.trim_end_matches('=')), "entry 1 of the keyring is not base64"),
        ("k1:".to_owned(), "entry 1 of the keyring is not a key of 32 bytes"),
        ("k1:changeme".to_owned(), "entry 1 of the keyring is not a key of 32 bytes"),
        (format!("k1:{uniform}"), "entry 1 of the keyring is a placeholder: all bytes of its key are the same"),
        (format!("k1:{K1},k1:{K2}"), "entry 2 of the keyring repeats an earlier name or key"),
        (format!("k1:{K1},k2:{K1}"), "entry 2 of the keyring repeats an earlier name or key"),
    ] {
        let error = LocalKeyring::parse(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKeyring);
        assert_eq!(error.to_string(), what);
        assert!(!format!("{error:?}").contains("AAEC"), "the text is not repeated");
    }
}

#[test]
fn names_of_keks_are_checked() {
    for name in ["", "a b", "a,b", "a\nb", "é", &"x".repeat(256)] {
        assert_eq!(KekId::new(name).unwrap_err().kind(), ErrorKind::InvalidKeyring, "{name:?}");
        assert_eq!(LocalKeyring::generate(name).unwrap_err().kind(), ErrorKind::InvalidKeyring, "{name:?}");
    }
    assert_eq!(KekId::new("x".repeat(255)).unwrap().as_str().len(), 255);
}

#[tokio::test]
async fn a_private_file_is_read() {
    let file = TempFile::new("private", &format!("k2:{K2}\nk1:{K1}\n"), 0o600);
    works(FileKeyring::open(&file.0).unwrap().into(), "k2").await;
}

#[test]
fn a_file_that_others_can_access_is_refused() {
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601] {
        let file = TempFile::new(&format!("{mode:o}"), &format!("k1:{K1}"), mode);
        let error = FileKeyring::open(&file.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKeyring, "{mode:o}");
        assert!(error.to_string().ends_with("its mode must be 0600"), "{error}");
    }
}

#[test]
fn a_missing_or_endless_file_is_refused() {
    let error = FileKeyring::open("/nonexistent/keyring").unwrap_err();
    assert_eq!(error.to_string(), "the keyring `/nonexistent/keyring` could not be read");
    assert!(std::error::Error::source(&error).is_some());
    let long = TempFile::new("long", &"\n".repeat(64 * 1024 + 1), 0o600);
    assert!(FileKeyring::open(&long.0).unwrap_err().to_string().ends_with("is too long"));
}

#[test]
fn a_missing_variable_is_an_error() {
    let error = EnvKeyring::from_var("NO_SUCH_FIELD_CRYPTO_VARIABLE").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKeyring);
    assert_eq!(error.to_string(), "no environment variable `NO_SUCH_FIELD_CRYPTO_VARIABLE`");
}

/// A process cannot safely set its own variables, so this test runs the next one in a process that has it.
#[test]
fn the_variable_is_read() {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "keyrings::in_a_process_with_the_variable", "--ignored"])
        .env(VARIABLE, format!("k2:{K2},k1:{K1}"))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success() && output.contains("1 passed"), "{output}");
}

#[tokio::test]
#[ignore = "run by the_variable_is_read"]
async fn in_a_process_with_the_variable() {
    works(EnvKeyring::from_var(VARIABLE).unwrap().into(), "k2").await;
}

#[test]
fn keyrings_do_not_print_keys() {
    let keyring = LocalKeyring::parse(&format!("k2:{K2},k1:{K1}")).unwrap();
    assert_eq!(format!("{keyring:?}"), r#"LocalKeyring(["k2", "k1"])"#);
    assert_eq!(format!("{:?}", DataKey::generate().unwrap()), "DataKey(..)");
}

#[tokio::test]
async fn wrapped_keys_are_bound_to_name_and_context() {
    use stockade_field_crypto::Purpose;

    use crate::support::{key_id, new_tenant};
    // The same key under two names.
    let (a, b) = (LocalKeyring::parse(&format!("a:{K1}")).unwrap(), LocalKeyring::parse(&format!("b:{K1}")).unwrap());
    let (tenant, key) = (new_tenant(), key_id(1));
    let context = WrapContext::TenantKey { tenant, key, purpose: Purpose::Aead };
    let data_key = DataKey::generate().unwrap();
    let mut wrapped = a.wrap(context, &data_key).await.unwrap();
    assert_eq!(a.unwrap(context, &wrapped).await.unwrap().kcv(), data_key.kcv());
    for other in [
        WrapContext::Canary,
        WrapContext::TenantKey { tenant: new_tenant(), key, purpose: Purpose::Aead },
        WrapContext::TenantKey { tenant, key: key_id(2), purpose: Purpose::Aead },
        WrapContext::TenantKey { tenant, key, purpose: Purpose::Index },
    ] {
        assert_ne!(other.to_bytes(), context.to_bytes());
        assert_eq!(a.unwrap(other, &wrapped).await.unwrap_err().kind(), ErrorKind::KeyRejected);
    }
    assert_eq!(b.unwrap(context, &wrapped).await.unwrap_err().kind(), ErrorKind::UnknownKek);
    wrapped.kek = KekId::new("b").unwrap();
    assert_eq!(b.unwrap(context, &wrapped).await.unwrap_err().kind(), ErrorKind::KeyRejected);
}
