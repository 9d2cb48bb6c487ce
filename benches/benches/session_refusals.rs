//! session's refusals: whether their time tells why.
//!
//! `cargo bench -p stockade-benches --bench session_refusals`. Sign-ins that are refused for an unknown identifier, a wrong password, a suspended
//! account and a lock, in turn, over the memory store and with the default hash: medians, which should be within 2 % of the unknown identifier's,
//! and Welch's t against it, which should be below 4.5. `SAMPLES` (300) is how many of each.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and its result is what it prints"
)]

use std::{num::NonZeroUsize, time::Instant};

use stockade_session::{
    Auth, ClientInfo, HashPool, HashPoolConfig, KeyRing, MemoryStore, NewAccount, Step, TenantId, UserId,
};
use uuid::Uuid;

const STATES: [&str; 4] = ["unknown", "wrong password", "suspended", "locked"];

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Mean and variance of the mean.
fn moments(times: &[f64]) -> (f64, f64) {
    let n = times.len() as f64;
    let mean = times.iter().sum::<f64>() / n;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance / n)
}

fn welch(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, var_a), (mean_b, var_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (var_a + var_b).sqrt()
}

/// Without the slowest tenth, which is the machine's other work.
fn trimmed(times: &[f64]) -> Vec<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.truncate(times.len() * 9 / 10);
    times
}

async fn refuse(auth: &Auth, identifier: &str, client: &ClientInfo) -> f64 {
    let began = Instant::now();
    let flow = auth.begin(identifier, client).await.expect("a flow");
    let step = flow.verify_password("a wrong guess".into()).await.expect("an answer");
    let time = began.elapsed().as_secs_f64() * 1e3;
    assert!(matches!(step, Step::Rejected(_)), "refused");
    time
}

async fn measure(samples: usize) {
    let one = NonZeroUsize::MIN;
    let pool = HashPool::new(HashPoolConfig { workers: one, ..HashPoolConfig::default() }).expect("threads");
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).expect("random numbers");
    let auth = Auth::builder(MemoryStore::default(), KeyRing::single(1, key).expect("a key"));
    let auth = auth.hash_pool(pool).build().expect("an auth");
    let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
    let create = async |number: usize, identifier: &str| {
        let user = UserId::from(Uuid::from_u128(1 + number as u128));
        let new = NewAccount { user, tenant: TenantId::from(Uuid::from_u128(2)), identifier };
        auth.accounts().create(new, "correct horse battery".into()).await.expect("an account");
        user
    };
    let mut times = vec![Vec::new(); STATES.len()];
    for round in 0..samples {
        // Each guess is the first at its identifier, except at the one that is locked.
        let names: Vec<String> = STATES.iter().map(|state| format!("{state} {round}")).collect();
        let [unknown, wrong, suspended, _] = names.as_slice() else { return };
        create(3 * round, wrong).await;
        let user = create(3 * round + 1, suspended).await;
        auth.accounts().suspend(user).await.expect("suspended");
        if round == 0 {
            create(3 * round + 2, "locked").await;
            for _ in 0..5 {
                refuse(&auth, "locked", &client).await;
            }
        }
        let mut turns: Vec<_> = [unknown.as_str(), wrong, suspended, "locked"].into_iter().zip(&mut times).collect();
        turns.rotate_left(round % STATES.len());
        for (identifier, times) in turns {
            times.push(refuse(&auth, identifier, &client).await);
        }
    }
    let unknown = trimmed(times.first().expect("measured"));
    println!("refusals, ms, {samples} of each, the slowest tenth left out");
    for (state, times) in STATES.iter().zip(&times) {
        let times = trimmed(times);
        let (ratio, t) = (median(&times) / median(&unknown), welch(&times, &unknown));
        let met = if (ratio - 1.0).abs() <= 0.02 && t.abs() < 4.5 { "met" } else { "missed" };
        println!("  {state:<15} {:>7.2}  {ratio:.3} of unknown, t {t:>6.2} ({met})", median(&times));
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let samples = std::env::var("SAMPLES").map_or(300, |samples| samples.parse().expect("a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(if quick { 2 } else { samples }));
}
