//! Processes that are killed, and a server that crashes.

use std::{
    collections::BTreeSet,
    env,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use stockade_audit_chain::postgres::{Sealer, StrictTransaction, VerifyOptions, record, record_strict, verify};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    support::{APP, SEALER, entry, install, number, report, scope, seal, tenant},
};

const URL: &str = "STOCKADE_AUDIT_CRASH_URL";
const COUNT: &str = "STOCKADE_AUDIT_CRASH_COUNT";

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(0) % below
}

/// A process of this binary that runs one of the ignored tests below.
struct Process {
    child: Child,
    reader: JoinHandle<()>,
}

impl Process {
    /// Starts it. What it says it was told is stored goes to `acknowledged`.
    fn start(name: &str, pool: &PgPool, role: &str, count: u64, acknowledged: &Arc<Mutex<Vec<Uuid>>>) -> Self {
        let url = pool.connect_options().as_ref().clone().username(role).to_url_lossy();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .env(URL, url.as_str())
            .env(COUNT, count.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (lines, acknowledged) = (BufReader::new(child.stdout.take().unwrap()).lines(), acknowledged.clone());
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The last line of a killed process can be a part of one.
                if let Some(id) = line.rsplit_once("acknowledged ").and_then(|(_, id)| id.parse().ok()) {
                    acknowledged.lock().unwrap().push(id);
                }
            }
        });
        Self { child, reader }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    fn wait(mut self) {
        self.child.wait().unwrap();
        self.reader.join().unwrap();
    }
}

/// `STOCKADE_AUDIT_APPENDS` entries for each of eight writers (10 000 for the full test), `STOCKADE_AUDIT_KILLS` processes killed.
#[sqlx::test(migrations = false)]
async fn processes_that_are_killed_lose_fork_and_skip_nothing(pool: PgPool) {
    const WRITERS: usize = 8;
    install(&pool).await;
    let (appends, kills) = (number("STOCKADE_AUDIT_APPENDS", 100), number("STOCKADE_AUDIT_KILLS", 8));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let writer = || Process::start("crash::a_writer", &pool, APP, appends, &acknowledged);
    let sealer = || Process::start("crash::a_sealer", &pool, SEALER, 0, &acknowledged);
    let mut writers: Vec<_> = (0..WRITERS).map(|_| writer()).collect();
    let mut sealing = sealer();
    for kill in 0..kills {
        // Not before there is something to lose.
        let before = acknowledged.lock().unwrap().len();
        while acknowledged.lock().unwrap().len() == before
            && writers.iter_mut().any(|w| w.child.try_wait().unwrap().is_none())
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(random(30_000))).await;
        if kill % 4 == 3 {
            std::mem::replace(&mut sealing, sealer()).kill();
        } else {
            let victim = usize::try_from(random(WRITERS as u64)).unwrap();
            std::mem::replace(&mut writers[victim], writer()).kill();
        }
    }
    for writer in writers {
        writer.wait();
    }
    sealing.kill();
    // A backend can outlive its process for a moment, with the sealers' lock in its hand.
    let waiting = "SELECT count(*) FROM stockade.audit_unsealed";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() > 0 {
        seal(&pool).await;
    }
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    let linked: Vec<Uuid> =
        sqlx::query_scalar("SELECT entry_id FROM stockade.audit_link ORDER BY seq").fetch_all(&pool).await.unwrap();
    let acknowledged: BTreeSet<_> = std::mem::take(&mut *acknowledged.lock().unwrap()).into_iter().collect();
    assert!(acknowledged.len() as u64 >= appends * WRITERS as u64, "{}", acknowledged.len());
    assert!(acknowledged.is_subset(&linked.iter().copied().collect()));
    assert_eq!(report.checked(), linked.len() as u64);
}

#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn acknowledge(id: Uuid) {
    println!("\nacknowledged {id}");
    std::io::stdout().flush().unwrap();
}

async fn enter() -> PgConnection {
    let options: PgConnectOptions = env::var(URL).unwrap().parse().unwrap();
    PgConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
#[ignore = "a process of processes_that_are_killed_lose_fork_and_skip_nothing"]
async fn a_writer() {
    let mut app = enter().await;
    for number in 0..number(COUNT, 0) {
        let id = if number % 3 == 0 {
            let mut tx = StrictTransaction::begin(&mut app).await.unwrap();
            let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant(1).to_string());
            context.execute(&mut *tx).await.unwrap();
            tx.commit(&[entry(tenant(1), number)]).await.unwrap()[0].entry_id
        } else {
            let mut tx = scope(&mut app, tenant(1)).await;
            let receipt = record(&mut *tx, &entry(tenant(1), number)).await.unwrap();
            tx.commit().await.unwrap();
            receipt.entry_id
        };
        acknowledge(id);
    }
}

#[tokio::test]
#[ignore = "a process of processes_that_are_killed_lose_fork_and_skip_nothing"]
async fn a_sealer() {
    let options: PgConnectOptions = env::var(URL).unwrap().parse().unwrap();
    Sealer::new().run(&options, std::future::pending(), |_| {}).await;
}

/// What was acknowledged until the server was gone, and how far the chain was then.
async fn write_until_the_crash(cluster: &mut Cluster, early: bool) -> Vec<(i64, Uuid)> {
    let writers: Vec<_> = (0..8_u64)
        .map(|writer| {
            let options = cluster.options(APP);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                let mut app = PgConnection::connect_with(&options).await.unwrap();
                loop {
                    match write_strictly(&mut app, writer, early).await {
                        Ok(link) => acknowledged.push(link),
                        Err(_) => return acknowledged,
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    cluster.crash();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    cluster.start().await;
    acknowledged
}

async fn write_strictly(
    app: &mut PgConnection,
    writer: u64,
    early: bool,
) -> Result<(i64, Uuid), stockade_audit_chain::Error> {
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)").bind(tenant(1).to_string());
    let entries = [entry(tenant(1), writer)];
    let linked = if early {
        let mut tx = StrictTransaction::begin(app).await?;
        context.execute(&mut *tx).await?;
        tx.commit(&entries).await?
    } else {
        // The control: the head is free as early, and nobody waits for the disk.
        let mut tx = app.begin().await?;
        context.execute(&mut *tx).await?;
        sqlx::query("SELECT set_config('synchronous_commit', 'off', true)").execute(&mut *tx).await?;
        let linked = record_strict(&mut *tx, &entries).await?;
        tx.commit().await?;
        linked
    };
    Ok((linked[0].link.unwrap().seq.cast_signed(), linked[0].entry_id))
}

#[tokio::test]
async fn what_a_strict_transaction_acknowledged_survives_a_crash_of_the_server() {
    let mut cluster = Cluster::create().await;
    let pool = PgPool::connect_with(cluster.options("postgres")).await.unwrap();
    install(&pool).await;
    pool.close().await;
    let mut lost = Vec::new();
    // The control more than once: somebody may have written the log just before the crash.
    for early in [true, false, false, false] {
        if lost.len() > 1 && lost[lost.len() - 1] > 0 {
            break;
        }
        let acknowledged = write_until_the_crash(&mut cluster, early).await;
        assert!(acknowledged.len() > 50, "{}", acknowledged.len());
        let pool = PgPool::connect_with(cluster.options("postgres")).await.unwrap();
        let there: Vec<(i64, Uuid)> =
            sqlx::query_as("SELECT seq, entry_id FROM stockade.audit_link").fetch_all(&pool).await.unwrap();
        let there: BTreeSet<_> = there.into_iter().collect();
        lost.push(acknowledged.iter().filter(|link| !there.contains(link)).count());
        let mut sealer = PgConnection::connect_with(&cluster.options(SEALER)).await.unwrap();
        let report = verify(&mut sealer, tenant(1), &VerifyOptions::default()).await.unwrap();
        assert!(report.is_intact(), "{:?}", report.verdicts());
        assert_eq!(report.checked(), there.len() as u64);
        pool.close().await;
    }
    assert_eq!(lost[0], 0);
    assert!(lost[1..].iter().any(|lost| *lost > 0), "the control must lose something, or this test shows nothing");
}
