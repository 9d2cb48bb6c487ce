//! session's hash pool: the memory of 500 sign-ins at once.
//!
//! `scripts/bench session_hashing`. The peak resident memory of the process (`VmHWM` of `/proc/self/status`, proc(5)) over what it was before, for 500 sign-ins that come at once over an empty store: with the pool, where each is answered or refused
//! with `Unavailable`; and with argon2 on `spawn_blocking` behind a semaphore as wide as the pool, which is what bounds it usually.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and its result is what it prints"
)]

use std::{num::NonZeroUsize, sync::Arc, time::Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use stockade_benches::Report;
use stockade_session::{
    Auth, ClientInfo, ErrorKind, HashPool, HashPoolConfig, KeyRing, MemoryStore, NewAccount, TenantId, UserId,
};
use tokio::{sync::Semaphore, task::JoinSet};
use uuid::Uuid;

const WORKERS: usize = 2;

/// A line of `/proc/self/status` in bytes.
fn status(name: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

/// What is resident now; the peak begins again from it.
fn begin() -> f64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    status("VmRSS").unwrap_or(f64::NAN)
}

fn peak() -> f64 {
    status("VmHWM").unwrap_or(f64::NAN)
}

/// Bytes.
async fn with_the_pool(sign_ins: usize) -> f64 {
    let before = begin();
    let workers = NonZeroUsize::new(WORKERS).expect("not zero");
    let pool = HashPool::new(HashPoolConfig { workers, ..HashPoolConfig::default() }).expect("threads");
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).expect("random numbers");
    let keys = KeyRing::single(1, key).expect("a key");
    let auth = Auth::builder(MemoryStore::default(), keys).hash_pool(pool).build().expect("an auth");
    let (user, tenant) = (UserId::from(Uuid::from_u128(1)), TenantId::from(Uuid::from_u128(2)));
    let new = NewAccount { user, tenant, identifier: "ana" };
    auth.accounts().create(new, "correct horse battery".into()).await.expect("an account");
    let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..sign_ins {
        let (auth, client) = (auth.clone(), client.clone());
        tasks.spawn(async move {
            // Everybody is somebody else, so that nobody is locked.
            let flow = auth.begin(&format!("user {number}"), &client).await.expect("a flow");
            let answer = flow.verify_password("a wrong guess".into()).await;
            let unavailable = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable);
            assert!(answer.is_ok() || unavailable, "answered or refused");
            answer.is_ok()
        });
    }
    let answered = tasks.join_all().await.into_iter().filter(|answered| *answered).count();
    let (taken, seconds) = (peak() - before, began.elapsed().as_secs_f64());
    println!("pool: answered {answered}, refused {}, {:.1} a second", sign_ins - answered, answered as f64 / seconds);
    taken
}

/// Bytes.
async fn with_a_semaphore(sign_ins: usize) -> f64 {
    let before = begin();
    let places = Arc::new(Semaphore::new(WORKERS));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..sign_ins {
        let places = Arc::clone(&places);
        tasks.spawn(async move {
            let place = places.acquire_owned().await.expect("open");
            let hashed = tokio::task::spawn_blocking(move || {
                let params = Params::new(19_456, 2, 1, Some(32)).expect("parameters");
                let mut output = [0; 32];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                argon2.hash_password_into(b"a wrong guess", b"0123456789abcdef", &mut output).expect("a hash");
                drop(place);
            });
            hashed.await.expect("a thread");
        });
    }
    tasks.join_all().await;
    let (taken, seconds) = (peak() - before, began.elapsed().as_secs_f64());
    println!("semaphore: {:.1} a second", sign_ins as f64 / seconds);
    taken
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let sign_ins = if quick { 4 } else { 500 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let pool = runtime.block_on(with_the_pool(sign_ins));
    let semaphore = runtime.block_on(with_a_semaphore(sign_ins));
    let told = [("hash pool", pool), ("spawn_blocking behind a semaphore", semaphore)];
    Report::of("session_hashing").tell("500 sign-ins at once, two workers of 19 MiB", &told);
}
