//! Published checkpoints: never panics, writes what it reads so that it reads the same, and proves what it can prove.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_audit_chain::{Publication, VerifierKey};

/// The key of the published example of the signed notes' specification, whose other half nobody here has.
const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|text: &str| {
    let Ok(publication) = text.parse::<Publication>() else { return };
    assert_eq!(publication.to_string().parse::<Publication>().expect("what was written can be read"), publication);
    assert!(publication.open(&KEY.parse::<VerifierKey>().unwrap()).is_none(), "nobody signed it");
    let (before, after) = (publication.before(), publication.frontier());
    if let (Ok(proof), Ok(after)) = (publication.prove_extension(), after) {
        assert!(proof.verify(&before.root(), &after.root()), "its own proof");
    }
    for head in publication.snapshot().heads() {
        let _ = publication.prove_head(head.head.tenant);
    }
});
