//! Against the example of Go's documentation, and an independent implementation.

use signed_note::{StandardSigner, StandardVerifier, VerifierList};

use super::*;
use crate::ErrorKind;

// The example of golang.org/x/mod/sumdb/note.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn note() -> String {
    [TEXT, "\n", LINE].concat()
}

fn signer(name: &str) -> LocalSigner {
    let seed = STANDARD.decode(PRIVATE.splitn(5, '+').last().unwrap()).unwrap();
    LocalSigner::from_seed(name, seed[1..].try_into().unwrap()).unwrap()
}

#[tokio::test]
async fn the_known_note_is_made_and_read() {
    let key: VerifierKey = KEY.parse().unwrap();
    assert_eq!(key.to_string(), KEY);
    assert_eq!(signer("PeterNeumann").key(), &key);
    let mut made = Note::new(TEXT).unwrap();
    assert!(!made.is_signed_by(&key));
    made.sign(&signer("PeterNeumann")).await.unwrap();
    assert_eq!(made.to_string(), note());
    let read: Note = note().parse().unwrap();
    assert_eq!(read, made);
    assert!(read.is_signed_by(&key));
    assert_eq!(read.claimed_signers().collect::<Vec<_>>(), ["PeterNeumann"]);
}

#[tokio::test]
async fn another_implementation_accepts_our_notes_and_we_its() {
    let mut ours = Note::new("a log\n7\n\n— not a signature\n").unwrap();
    ours.sign(&signer("PeterNeumann")).await.unwrap();
    let theirs = signed_note::Note::from_bytes(ours.to_string().as_bytes()).unwrap();
    let verifier = || VerifierList::new(vec![Box::new(StandardVerifier::new(KEY).unwrap())]);
    theirs.verify(&verifier()).unwrap();
    assert_eq!(theirs.text(), ours.text().as_bytes());

    let mut theirs = signed_note::Note::new(b"their log\n\nanother line\n", &[]).unwrap();
    theirs.add_sigs(&[&StandardSigner::new(PRIVATE).unwrap()]).unwrap();
    let ours: Note = String::from_utf8(theirs.to_bytes()).unwrap().parse().unwrap();
    assert!(ours.is_signed_by(&KEY.parse().unwrap()));
}

#[tokio::test]
async fn no_bit_of_a_signed_note_may_change() {
    let key: VerifierKey = KEY.parse().unwrap();
    let bytes = note().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let read = String::from_utf8(altered).ok().and_then(|text| text.parse::<Note>().ok());
        assert!(!read.is_some_and(|note| note.is_signed_by(&key)), "bit {bit}");
    }
}

#[tokio::test]
async fn a_signature_counts_for_its_own_key_only() {
    let key: VerifierKey = KEY.parse().unwrap();
    let mut read: Note = note().parse().unwrap();
    // The same key bytes under another name make another key.
    let other = signer("example.com/witness");
    assert!(!read.is_signed_by(other.key()));
    read.sign(&other).await.unwrap();
    assert!(read.is_signed_by(other.key()) && read.is_signed_by(&key));
    assert_eq!(read.to_string().parse::<Note>().unwrap(), read);
    // A wrong signature in the key's name spoils a right one: nobody has to guess which line was meant.
    let forged = LINE.replace("ZJku", "ZJkv");
    for lines in [[LINE, &forged], [&forged, LINE]] {
        let spoilt: Note = [TEXT, "\n", &lines.concat()].concat().parse().unwrap();
        assert!(!spoilt.is_signed_by(&key));
    }
    // Signing again replaces.
    let mut twice: Note = note().parse().unwrap();
    twice.sign(&signer("PeterNeumann")).await.unwrap();
    assert_eq!(twice.to_string(), note());
}

#[tokio::test]
async fn a_signer_that_errs_is_noticed() {
    struct Broken(LocalSigner);
    impl Signer for Broken {
        fn key(&self) -> &VerifierKey {
            self.0.key()
        }
        async fn sign(&self, _: &[u8]) -> Result<[u8; 64], Box<dyn std::error::Error + Send + Sync>> {
            self.0.sign(b"something else").await
        }
    }
    let mut note = Note::new(TEXT).unwrap();
    let error = note.sign(&Broken(signer("PeterNeumann"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Signing);
    assert_eq!(note, Note::new(TEXT).unwrap());
}

#[test]
fn what_is_no_note_is_refused() {
    let whole = note();
    let cut = whole.trim_end();
    let long = "x".repeat(Note::MAX_LEN) + "\n";
    let many = [TEXT, "\n", &LINE.repeat(Note::MAX_SIGNATURES + 1)].concat();
    let wrong = ["", "\n", "\n\n", TEXT, LINE, cut, &long, &many, "a\n\n", "a\n\n\n"];
    let lines = [
        "— a+b eDA4Z28v\n",
        "—  eDA4Z28v\n",
        "- a eDA4Z28v\n",
        "— a eDA4Zw==\n",
        "— a eDA4Z28\n",
        "— a  eDA4Z28v\n",
        "— a b eDA4Z28v\n",
    ];
    for text in wrong.into_iter().map(str::to_owned).chain(lines.map(|line| [TEXT, "\n", line].concat())) {
        let error = text.parse::<Note>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{text:.80}");
    }
    for text in ["", "no line feed", "a\rb\n", "a\tb\n", "a\u{0}\n"] {
        assert!(Note::new(text).is_err(), "{text:?}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for text in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        // Another algorithm.
        "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10",
    ] {
        assert_eq!(text.parse::<VerifierKey>().unwrap_err().kind(), ErrorKind::Malformed, "{text}");
    }
    // The neutral element: a signature of zeros would hold for any text.
    let mut weak = [0; 32];
    weak[0] = 1;
    assert!(VerifierKey::new("weak", &weak).is_err());
}

#[test]
fn a_signer_does_not_show_its_key() {
    assert_eq!(format!("{:?}", signer("PeterNeumann")), format!("LocalSigner({KEY})"));
}
