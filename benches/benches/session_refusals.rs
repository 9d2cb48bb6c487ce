//! session's refusals: whether their time tells why.
//!
//! `scripts/bench session_refusals`. Sign-ins that are refused for an unknown
//! identifier, a wrong password, a suspended account and a lock take turns: over the memory store, and over PostgreSQL if there is a
//! `DATABASE_URL`. Of each refusal the time that passes and the processor time of this process and of the server's backend are taken. The bars
//! hold how far medians are from the unknown identifier's, and Welch's t against it, both without the slowest tenth and by processor time,
//! which a busy machine disturbs less. Then the same with a hash that costs next to nothing, which shows everything that is not the
//! hash and has no bar, and with a floor over argon2id and bcrypt, which hides the time that passes and no work. `SAMPLES` (300) is how many of each.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot run should stop, and its result is what it prints"
)]

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use sqlx::{Executor, postgres::PgPoolOptions, query_scalar};
use stockade_benches::{Database, Meter, Report};
use stockade_session::{
    Argon2Params, Auth, AuthBuilder, ClientInfo, HashPool, HashPoolConfig, KeyRing, MemoryStore, NewAccount, Step,
    Store, TenantId, UserId,
    postgres::{PgStore, migrator},
    store::Lookup,
};
use uuid::Uuid;

const PASSWORD: &str = "correct horse battery";
const FLOOR: Duration = Duration::from_millis(500);

/// Why a sign-in is refused. The first is the one that the others are compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Unknown,
    WrongPassword,
    Suspended,
    Locked,
    Bcrypt,
}

impl State {
    /// As `bars.toml` has it.
    const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::WrongPassword => "wrong password",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::Bcrypt => "bcrypt",
        }
    }
}

/// Which time of a refusal.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    Passed,
    Spent,
}

impl Column {
    const fn of(self, took: &Took) -> f64 {
        match self {
            Self::Passed => took.passed,
            Self::Spent => took.spent,
        }
    }
}

/// Milliseconds that one refusal took.
#[derive(Clone, Copy)]
struct Took {
    passed: f64,
    spent: f64,
}

struct Desk<S> {
    auth: Auth,
    store: S,
    meter: Meter,
    hash: String,
    bcrypt: String,
}

fn sorted(times: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut times: Vec<f64> = times.into_iter().collect();
    times.sort_by(f64::total_cmp);
    // The slowest tenth is the machine's other work.
    times.truncate((times.len() * 9).div_ceil(10));
    times
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn welch(a: &[f64], b: &[f64]) -> f64 {
    let moments = |times: &[f64]| {
        let n = times.len() as f64;
        let mean = times.iter().sum::<f64>() / n;
        (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0) / n)
    };
    let ((mean_a, var_a), (mean_b, var_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (var_a + var_b).sqrt()
}

impl<S: Store + Clone> Desk<S> {
    async fn new(
        store: S,
        meter: Meter,
        params: Argon2Params,
        configure: impl FnOnce(AuthBuilder) -> AuthBuilder,
    ) -> Self {
        let config = HashPoolConfig { params, workers: NonZeroUsize::MIN, ..HashPoolConfig::default() };
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).expect("random numbers");
        let auth = Auth::builder(store.clone(), KeyRing::single(1, key).expect("a key"));
        let auth = configure(auth.hash_pool(HashPool::new(config).expect("threads"))).build().expect("an auth");
        let mut desk = Self { auth, store, meter, hash: String::new(), bcrypt: String::new() };
        let name = next().to_string();
        let new = NewAccount { user: user(), tenant: tenant(), identifier: &name };
        desk.auth.accounts().create(new, PASSWORD.into()).await.expect("an account");
        desk.hash = desk.store.account(Lookup::Identifier(&name)).await.expect("an answer").expect("it").password_hash;
        desk.bcrypt = bcrypt::hash(PASSWORD, 10).expect("a hash");
        desk
    }

    /// An identifier that nobody has guessed at yet, or the one that is locked.
    async fn identifier(&self, state: State, locked: &str) -> String {
        let name = next().to_string();
        let new = NewAccount { user: user(), tenant: tenant(), identifier: &name };
        match state {
            State::Locked => return locked.to_owned(),
            State::Unknown => {}
            State::Bcrypt => self.auth.accounts().import(new, &self.bcrypt).await.expect("an account"),
            State::WrongPassword => self.auth.accounts().import(new, &self.hash).await.expect("an account"),
            State::Suspended => {
                self.auth.accounts().import(new, &self.hash).await.expect("an account");
                self.auth.accounts().suspend(new.user).await.expect("suspended");
            }
        }
        name
    }

    async fn refuse(&self, identifier: &str) -> Took {
        let client = ClientInfo { ip: [203, 0, 113, 7].into(), user_agent: None };
        let (before, began) = (self.meter.read(), Instant::now());
        let flow = self.auth.begin(identifier, &client).await.expect("a flow");
        let step = flow.verify_password("a wrong guess".into()).await.expect("an answer");
        let (passed, spent) = (began.elapsed().as_secs_f64() * 1e3, self.meter.read() - before);
        assert!(matches!(step, Step::Rejected(_)), "refused");
        Took { passed, spent: spent.total() / 1e6 }
    }

    async fn measure(&self, title: &str, states: &[State], samples: usize, judged: Option<(&Report, &str, Column)>) {
        let locked = self.identifier(State::WrongPassword, "").await;
        let mut took = vec![Vec::new(); states.len()];
        for round in 0..samples {
            // A lock lasts a minute or more, and the guess that comes after it renews it.
            for _ in 0..if round == 0 { 5 } else { 0 } {
                self.refuse(&locked).await;
            }
            let mut names = Vec::new();
            for state in states {
                names.push(self.identifier(*state, &locked).await);
            }
            let mut turns: Vec<_> = names.iter().zip(&mut took).collect();
            turns.rotate_left(round % states.len());
            for (name, took) in turns {
                took.push(self.refuse(name).await);
            }
        }
        println!(
            "\n{title}, {samples} of each, the slowest tenth left out: ms, times the unknown identifier's, Welch's t"
        );
        for column in [Column::Passed, Column::Spent] {
            let mut told = Vec::new();
            let unknown = sorted(took.first().expect("measured").iter().map(|took| column.of(took)));
            for (state, took) in states.iter().zip(&took) {
                let times = sorted(took.iter().map(|took| column.of(took)));
                let (ratio, t) = (median(&times) / median(&unknown), welch(&times, &unknown));
                println!("  {column:?} {:<16} {:>9.3}  {ratio:.4}  {t:>7.2}", state.name(), median(&times));
                told.push((format!("{}, from the unknown", state.name()), (ratio - 1.0).abs() * 100.0));
                told.push((format!("{}, Welch's t", state.name()), t.abs()));
            }
            if let Some((report, group, judged)) = judged
                && judged == column
            {
                let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), *value)).collect();
                report.tell(group, &told);
            }
        }
    }
}

/// A number that was not there before, for the name of a user.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn user() -> UserId {
    Uuid::from_u128(next().into()).into()
}

fn tenant() -> TenantId {
    TenantId::from(Uuid::from_u128(2))
}

async fn over(report: &Report, name: &str, store: impl Store + Clone, meter: Meter, samples: usize) {
    let four = [State::Unknown, State::WrongPassword, State::Suspended, State::Locked];
    let by_time = format!("{name}, processor time");
    let desk = Desk::new(store.clone(), meter.clone(), Argon2Params::default(), |builder| builder).await;
    desk.measure(&format!("{name}, default hash"), &four, samples, Some((report, &by_time, Column::Spent))).await;
    let desk = Desk::new(store.clone(), meter.clone(), Argon2Params::dangerously_weak(), |builder| builder).await;
    desk.measure(&format!("{name}, hardly any hash"), &four, samples * 5, None).await;
    let floor = |builder: AuthBuilder| builder.refusal_floor(FLOOR, tokio::time::sleep);
    let desk = Desk::new(store, meter, Argon2Params::default(), floor).await;
    let five = [State::Unknown, State::WrongPassword, State::Suspended, State::Locked, State::Bcrypt];
    let title = format!("{name}, a floor of 500 ms, by the clock");
    desk.measure(&title, &five, samples.div_ceil(6), Some((report, &title, Column::Passed))).await;
}

async fn over_postgres(report: &Report, samples: usize) {
    let Some(database) = Database::create("session_refusals").await else { return };
    migrator().run(&mut database.open().await).await.expect("a schema");
    let pool = PgPoolOptions::new().min_connections(1).max_connections(1);
    let pool = pool.connect_with(database.options().clone()).await.expect("one");
    pool.execute("GRANT stockade_auth TO CURRENT_USER; SET ROLE stockade_auth").await.expect("a role");
    let backend: i32 = query_scalar("SELECT pg_backend_pid()").fetch_one(&pool).await.expect("a number");
    over(report, "PostgreSQL", PgStore::new(pool.clone()), Meter::new(vec![backend]), samples).await;
    pool.close().await;
    database.drop().await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let samples = std::env::var("SAMPLES").map_or(300, |samples| samples.parse().expect("a number"));
    let samples = if quick { 2 } else { samples };
    let report = Report::of("session_refusals");
    over(&report, "memory store", MemoryStore::default(), Meter::default(), samples).await;
    over_postgres(&report, samples).await;
}
