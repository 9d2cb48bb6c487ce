//! audit-chain's hashing beside the floor, sha2 over the same bytes in a loop, and beside the crate audit-trail.
//!
//! `scripts/bench audit_chain`. audit-trail has no database, no personal values and no proofs; its target holds the text that an
//! entry here has in several fields, so that both hash about as much.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]

use std::hint::black_box;

use audit_trail::{Action, Actor as Who, Chain, MemorySink, Outcome, Sha256Hasher, SystemClock, Target};
use chrono::DateTime;
use serde_json::json;
use sha2::{Digest, Sha256};
use stockade_audit_chain::{Actor, ChainId, Content, Entry, Head, Link, Record, TenantId, Verifier};
use stockade_benches::{Report, compare, subject};
use uuid::Uuid;

const ENTRIES: usize = 1_000;

fn tenant() -> TenantId {
    TenantId::from(Uuid::from_u128(7))
}

/// An entry as an application writes it: an actor, an entity, a few values before and after.
fn entry(number: usize) -> Entry {
    Entry::new(tenant(), Actor::user(Uuid::from_u128(9)).with_role("dispatcher"), "load.update")
        .entity("load", Uuid::from_u128(number as u128))
        .before(json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods" }))
        .after(json!({ "rate_cents": 120_000 + number, "status": "in transit", "customer": "Harbor Foods" }))
}

/// A chain of such entries.
fn chain() -> (Head, Vec<(Link, Record)>) {
    let mut head = Head::genesis(tenant(), ChainId::random().expect("random bytes"));
    let log = (0..ENTRIES)
        .map(|number| {
            let record = entry(number).record_at(DateTime::UNIX_EPOCH).expect("a valid entry");
            (head.append(record.entry_id(), record.leaf()).expect("room in the chain"), record)
        })
        .collect();
    (head, log)
}

/// The same by audit-trail, in memory.
fn trail() -> MemorySink {
    let mut chain = Chain::new(Sha256Hasher::new(), MemorySink::with_capacity(ENTRIES), SystemClock::new());
    for number in 0..ENTRIES {
        let before = json!({ "rate_cents": 120_000, "status": "booked", "customer": "Harbor Foods" });
        let after = json!({ "rate_cents": 120_000 + number, "status": "in transit", "customer": "Harbor Foods" });
        let target = format!("dispatcher load {} {before} {after}", Uuid::from_u128(number as u128));
        let who = Uuid::from_u128(9).to_string();
        chain
            .append(Who::new(&who), Action::new("load.update"), Target::new(&target), Outcome::Success)
            .expect("room in memory");
    }
    chain.into_parts().1
}

/// What each entry makes SHA-256 process: its envelope behind the leaf's prefix, and the link's bytes.
fn hashed_bytes(log: &[(Link, Record)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    const LINK_BYTES: usize = 20 + 16 + 8 + 32 + 32;
    log.iter().map(|(_, record)| ([&[0][..], record.envelope().encode()].concat(), vec![0; LINK_BYTES])).collect()
}

fn main() {
    let (head, log) = chain();
    let bytes = hashed_bytes(&log);
    let by_trail = trail();
    let links = || Head::genesis(tenant(), ChainId::random().expect("random bytes"));
    let subjects = vec![
        subject("sha2 over the same bytes", || {
            for (leaf, link) in &bytes {
                black_box(Sha256::digest(black_box(leaf)));
                black_box(Sha256::digest(black_box(link)));
            }
        }),
        subject("compute links", || {
            let mut head = links();
            for (_, record) in &log {
                black_box(head.append(record.entry_id(), record.leaf()).expect("room in the chain"));
            }
        }),
        subject("verify from bytes", || {
            let mut verifier = Verifier::new(tenant(), Some(head));
            for (link, record) in &log {
                // From the stored bytes, as a reader has them: decoding and hashing the envelope is part of the work.
                let envelope = black_box(record.envelope().encode());
                verifier.check(black_box(link), Content::Bytes { envelope, openings: record.openings() });
            }
            assert!(verifier.finish().is_intact());
        }),
        subject("write", || {
            let mut head = links();
            for number in 0..ENTRIES {
                let record = entry(number).record_at(DateTime::UNIX_EPOCH).expect("a valid entry");
                black_box(head.append(record.entry_id(), record.leaf()).expect("room in the chain"));
                black_box(record);
            }
        }),
        subject("audit-trail: write", || drop(black_box(trail()))),
        subject("audit-trail: verify", || {
            let mut verifier = audit_trail::Verifier::new(Sha256Hasher::new());
            for record in by_trail.records() {
                verifier.verify(&black_box(record).as_record()).expect("an intact chain");
            }
        }),
    ];
    compare(&Report::of("audit_chain"), "1,000 entries in memory", subjects, 1);
}
