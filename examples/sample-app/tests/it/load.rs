//! Thirty-two people of three tenants at work at the same time, over HTTP.
//!
//! A few seconds by default; `SAMPLE_APP_LOAD_SECONDS=60` for a minute, and it prints how fast the answers came.

#![expect(clippy::indexing_slicing, reason = "every index is below a length that was asked for")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, Response, StatusCode, redirect};
use sample_app::{
    app::App,
    seed::{self, ACCOUNTANT, DISPATCHER, FAR_DISPATCHER, OWNER, Person, TENANTS, Tenant, VIEWER},
    web,
};
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::oneshot};

use crate::browser::{app, loads};

const PEOPLE: usize = 32;
/// What each may do at most, so that the limits are not reached: 20 exports of a tenant an hour; 30 downloads of a person a minute, who
/// has up to three browsers here.
const EXPORTS: u32 = 15;
const DOWNLOADS: u32 = 8;

/// What a tenant's people share.
struct Company {
    tenant: Tenant,
    loads: Vec<String>,
    documents: Vec<String>,
    settlements: Vec<String>,
    /// What no answer to them may contain.
    foreign: Vec<String>,
    foreign_load: String,
    exports: AtomicU32,
}

/// Somebody who is signed in.
#[derive(Clone)]
struct Worker {
    client: Client,
    base: String,
    cookie: String,
    company: Arc<Company>,
    person: Person,
    random: u64,
    downloads: u32,
    took: BTreeMap<&'static str, Vec<Duration>>,
}

impl Worker {
    async fn ask(&mut self, what: &'static str, path: &str, form: Option<&[(&str, &str)]>) -> (StatusCode, String) {
        let began = Instant::now();
        let response = self.open(path, form).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        self.took.entry(what).or_default().push(began.elapsed());
        for marker in &self.company.foreign {
            assert!(
                !text.contains(marker),
                "{} of {} got {marker} from {path}",
                self.person.name,
                self.company.tenant.name
            );
        }
        (status, text)
    }

    async fn open(&self, path: &str, form: Option<&[(&str, &str)]>) -> Response {
        let address = format!("{}{path}", self.base);
        let request = match form {
            Some(form) => self
                .client
                .post(address)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(serde_urlencoded::to_string(form).unwrap()),
            None => self.client.get(address),
        };
        request.header("sec-fetch-site", "same-origin").header("cookie", &self.cookie).send().await.unwrap()
    }

    async fn sign_in(mut self) -> Self {
        let email = self.company.tenant.email(&self.person);
        let response = self.open("/sign-in", Some(&[("email", &email), ("password", seed::PASSWORD)])).await;
        self.keep(&response);
        if self.person.totp_seed.is_some() {
            let code = seed::current_code(&self.person).unwrap();
            let response = self.open("/sign-in/code", Some(&[("code", &code)])).await;
            self.keep(&response);
        }
        assert_eq!(self.ask("loads", "/loads", None).await.0, StatusCode::OK);
        self
    }

    fn keep(&mut self, response: &Response) {
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let set = response.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let pairs: Vec<&str> =
            set.filter_map(|cookie| cookie.split(';').next()).filter(|pair| !pair.ends_with('=')).collect();
        self.cookie = pairs.join("; ");
    }

    /// One of the numbers below `end`; the same ones in every run.
    fn any(&mut self, end: usize) -> usize {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap() % end
    }

    fn one(&mut self, of: fn(&Company) -> &Vec<String>) -> String {
        let company = Arc::clone(&self.company);
        let all = of(&company);
        all[self.any(all.len())].clone()
    }

    async fn work(&mut self) {
        let (role, slug) = (self.person.role, self.company.tenant.slug);
        let expect = |(status, text): (StatusCode, String), wanted: StatusCode, what: &str| {
            assert_eq!(status, wanted, "{role} of {slug}: {what}: {text}");
        };
        match self.any(20) {
            0..=5 => expect(self.ask("loads", "/loads", None).await, StatusCode::OK, "loads"),
            6 => expect(self.ask("drivers", "/drivers", None).await, StatusCode::OK, "drivers"),
            7 => expect(self.ask("isolation", "/isolation", None).await, StatusCode::OK, "isolation"),
            8 => {
                let path = format!("/loads/{}", self.company.foreign_load);
                expect(self.ask("foreign", &path, None).await, StatusCode::NOT_FOUND, "a load of another tenant");
            }
            9..=12 if role == "owner" => {
                let path = format!("/loads/{}", self.one(|company| &company.loads));
                let rate = (1_000 + self.any(1_000)).to_string();
                let form = [("rate", rate.as_str()), ("status", "booked")];
                expect(self.ask("edit", &path, Some(&form)).await, StatusCode::SEE_OTHER, "edit");
            }
            9..=10 if role == "accountant" => {
                let memo = format!("marker-{slug}-{}", self.any(10_000));
                let today = chrono::Utc::now().date_naive().to_string();
                let form = [
                    ("posted_on", today.as_str()),
                    ("account", "5000 Carrier cost"),
                    ("memo", &memo),
                    ("amount", "12.50"),
                ];
                expect(self.ask("post", "/ledger/postings", Some(&form)).await, StatusCode::SEE_OTHER, "post");
            }
            11..=12 if role == "accountant" => {
                let path = format!("/settlements/{}", self.one(|company| &company.settlements));
                let pay = (500 + self.any(500)).to_string();
                let form = [("pay", pay.as_str()), ("commission", "12.5"), ("status", "approved")];
                let (status, text) = self.ask("settle", &path, Some(&form)).await;
                // Two who change one settlement at once: the second is told.
                assert!([StatusCode::SEE_OTHER, StatusCode::FORBIDDEN].contains(&status), "{status} {text}");
            }
            13..=15 if ["owner", "accountant"].contains(&role) => {
                let action = ["load.update", "ledger.post", "session.sign_in", ""][self.any(4)];
                expect(self.ask("search", &format!("/audit?action={action}"), None).await, StatusCode::OK, "search");
            }
            16 if role == "owner" && self.company.exports.fetch_add(1, Ordering::Relaxed) < EXPORTS => {
                let path = ["/audit.csv", "/audit.jsonl"][self.any(2)];
                let (status, text) = self.ask("export", path, None).await;
                assert!(text.contains(&self.company.tenant.id.to_string()), "an export is the tenant's own");
                expect((status, String::new()), StatusCode::OK, "export");
            }
            17 if role != "dispatcher" && self.downloads < DOWNLOADS => {
                self.downloads += 1;
                let path = format!("/documents/{}", self.one(|company| &company.documents));
                expect(self.ask("download", &path, None).await, StatusCode::OK, "download");
            }
            _ => expect(self.ask("ledger", "/ledger", None).await, StatusCode::OK, "ledger"),
        }
    }
}

async fn ids(pool: &PgPool, sql: &'static str, tenant: &Tenant) -> Vec<String> {
    sqlx::query_scalar(sql).bind(tenant.id).fetch_all(pool).await.unwrap()
}

async fn company(pool: &PgPool, tenant: Tenant) -> Arc<Company> {
    let others = TENANTS.iter().filter(|other| other.id != tenant.id);
    let foreign = others.flat_map(|other| {
        let reference = other.reference(0);
        let prefix = reference.trim_end_matches(char::is_numeric).to_owned();
        [
            other.name.to_owned(),
            other.id.to_string(),
            format!("@{}.test", other.slug),
            format!("marker-{}", other.slug),
            format!(">{prefix}"),
        ]
    });
    let other = TENANTS.iter().find(|other| other.id != tenant.id).unwrap();
    Arc::new(Company {
        loads: ids(pool, "SELECT id::text FROM freight.loads WHERE tenant_id = $1", &tenant).await,
        documents: ids(pool, "SELECT id::text FROM freight.documents WHERE tenant_id = $1", &tenant).await,
        settlements: ids(pool, "SELECT id::text FROM freight.settlements WHERE tenant_id = $1", &tenant).await,
        foreign: foreign.collect(),
        foreign_load: loads(pool, other).await.remove(0).id.to_string(),
        exports: AtomicU32::new(0),
        tenant,
    })
}

/// Each person of each tenant once, and then some of them again, with sessions of their own.
async fn workers(base: &str, pool: &PgPool) -> Vec<Worker> {
    let client = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
    let mut workers: Vec<Worker> = Vec::new();
    for tenant in TENANTS {
        let company = company(pool, tenant).await;
        for person in [OWNER, ACCOUNTANT, VIEWER, DISPATCHER, FAR_DISPATCHER] {
            let worker = Worker {
                client: client.clone(),
                base: base.to_owned(),
                cookie: String::new(),
                company: Arc::clone(&company),
                person,
                random: 0,
                downloads: 0,
                took: BTreeMap::new(),
            };
            workers.push(worker.sign_in().await);
        }
    }
    let once = workers.clone();
    // A one-time code is accepted once, so an owner has one session: the second owner of a tenant is the same browser.
    workers.extend(once.iter().cycle().take(PEOPLE - once.len()).cloned());
    for (number, worker) in workers.iter_mut().enumerate() {
        worker.random = number as u64 + 1;
    }
    workers
}

#[sqlx::test(migrations = false)]
async fn thirty_two_people_of_three_tenants_get_no_error_and_nothing_of_each_other(pool: PgPool) {
    let asked = std::env::var("SAMPLE_APP_LOAD_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let app = app(&pool).await;
    let loops = [
        tokio::spawn(Arc::clone(&app).seal_forever()),
        tokio::spawn(Arc::clone(&app).watch_forever()),
        tokio::spawn(Arc::clone(&app).follow_forever()),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(web::serve(Arc::clone(&app), listener, async {
        stopped.await.unwrap();
    }));
    let workers = workers(&base, &pool).await;

    let length = Duration::from_secs(asked.unwrap_or(4));
    let began = Instant::now();
    let followers: Vec<_> =
        workers.iter().take(15).step_by(5).cloned().map(|owner| tokio::spawn(follow(owner))).collect();
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            tokio::spawn(async move {
                while began.elapsed() < length {
                    worker.work().await;
                }
                worker.took
            })
        })
        .collect();
    let mut took: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for task in tasks {
        for (what, more) in task.await.unwrap() {
            took.entry(what).or_default().extend(more);
        }
    }
    let elapsed = began.elapsed();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    for follower in followers {
        assert!(follower.await.unwrap() > 0, "an open page got nothing of what was written");
    }
    for task in loops {
        task.abort();
    }
    after(&app, &pool).await;
    if asked.is_some() {
        report(&took, elapsed);
    }
}

/// An owner who leaves the audit log open. Says how many entries came.
async fn follow(owner: Worker) -> usize {
    let mut response = owner.open("/audit/stream", None).await;
    let mut text = String::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text += std::str::from_utf8(&chunk).unwrap();
    }
    for marker in &owner.company.foreign {
        assert!(!text.contains(marker), "{} got {marker} as an event", owner.company.tenant.name);
    }
    text.matches("event: row").count()
}

/// Whatever was written is in a chain that verifies, nothing waits any more, and no connection is missing.
async fn after(app: &App, pool: &PgPool) {
    app.seal_now().await.unwrap();
    app.checkpoint_now().await.unwrap();
    app.verify_everything().await.unwrap();
    for tenant in TENANTS {
        let report = app.watch.verified(tenant.id.into()).unwrap().report;
        assert!(report.is_intact(), "{}: {report:?}", tenant.name);
        let (entries, edits): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE action = 'load.update') FROM stockade.audit_entry WHERE tenant_id = $1",
        )
        .bind(tenant.id)
        .fetch_one(pool)
        .await
        .unwrap();
        assert_eq!(report.checked(), entries.unsigned_abs(), "{}", tenant.name);
        assert!(edits > 0, "{} edited nothing", tenant.name);
    }
    // Every connection of the pool can be had at once: none was lost.
    let mut scopes = Vec::new();
    for _ in 0..8 {
        scopes.push(app.tenants.read(stockade::tenant_guard::TenantId::new(seed::ACME.id)).await.unwrap());
    }
}

#[expect(clippy::print_stderr, reason = "whoever asks for a length of time wants to read it")]
fn report(took: &BTreeMap<&str, Vec<Duration>>, elapsed: Duration) {
    let all: Vec<Duration> = took.values().flatten().copied().collect();
    eprintln!(
        "{} requests in {:.1} s: {:.0} a second",
        all.len(),
        elapsed.as_secs_f64(),
        all.len() as f64 / elapsed.as_secs_f64()
    );
    for (what, mut times) in took.iter().map(|(what, times)| (*what, times.clone())).chain([("all", all)]) {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_millis();
        eprintln!(
            "{what:>10} {:>6}  p50 {:>5} ms  p95 {:>5} ms  p99 {:>5} ms  max {:>5} ms",
            times.len(),
            at(50),
            at(95),
            at(99),
            at(100)
        );
    }
}
