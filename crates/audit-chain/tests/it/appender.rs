//! Appending without a transaction of the caller's.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{PgPool, postgres::PgPoolOptions};
use stockade_audit_chain::{ErrorKind, postgres::Appender};
use tokio::{task::JoinHandle, time::timeout};
use uuid::Uuid;

use crate::support::{APPENDER, connect, entry, install, report, scope, seal, sqlstate, tenant};

const BUDGET: NonZeroU32 = NonZeroU32::new(1 << 20).unwrap();

async fn appenders(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().username(APPENDER).application_name("appender");
    PgPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_secs(5)).connect_with(options).await.unwrap()
}

async fn start(pool: &PgPool) -> (Appender, JoinHandle<()>) {
    let (appender, work) = Appender::new(appenders(pool).await, BUDGET);
    (appender, tokio::spawn(work))
}

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM stockade.audit_entry").fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn many_callers_of_many_tenants_share_rounds(pool: PgPool) {
    const CALLERS: u64 = 64;
    const APPENDS: u64 = 10;
    install(&pool).await;
    let (appender, work) = start(&pool).await;
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let appender = appender.clone();
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for number in 0..APPENDS {
                    let tenant = tenant(u128::from(caller % 3));
                    let mut entry = entry(tenant, number);
                    if number % 2 == 0 {
                        // With nothing personal and nothing optional, so that rows of all widths share a statement.
                        entry =
                            stockade_audit_chain::Entry::new(tenant, stockade_audit_chain::Actor::user("u"), "sign_in");
                    }
                    ids.push(appender.append(&entry).await.unwrap().entry_id);
                }
                (caller, ids)
            })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for caller in callers {
        acknowledged.push(caller.await.unwrap());
    }
    drop(appender);
    work.await.unwrap();
    let commits: i64 = sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM stockade.audit_entry")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(commits < count(&pool).await / 2, "{commits} transactions");
    assert_eq!(seal(&pool).await.entries, CALLERS * APPENDS);
    for number in 0..3 {
        let report = report(&pool, tenant(number)).await;
        assert!(report.is_intact(), "{:?}", report.verdicts());
        let order: Vec<Uuid> =
            sqlx::query_scalar("SELECT entry_id FROM stockade.audit_link WHERE tenant_id = $1 ORDER BY seq")
                .bind(Uuid::from(tenant(number)))
                .fetch_all(&pool)
                .await
                .unwrap();
        for (_, ids) in acknowledged.iter().filter(|(caller, _)| u128::from(caller % 3) == number) {
            let mine: BTreeSet<_> = ids.iter().collect();
            assert_eq!(order.iter().filter(|id| mine.contains(id)).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
        }
    }
}

#[sqlx::test(migrations = false)]
async fn what_the_database_refuses_fails_only_its_caller(pool: PgPool) {
    install(&pool).await;
    let check = "ALTER TABLE stockade.audit_entry ADD CHECK (entity_id <> 'L-13' AND entity_id <> 'L-30')";
    sqlx::raw_sql(check).execute(&pool).await.unwrap();
    let (appender, _work) = start(&pool).await;
    let callers: Vec<_> = (0..40)
        .map(|number| {
            let appender = appender.clone();
            tokio::spawn(async move { appender.append(&entry(tenant(u128::from(number % 2)), number)).await })
        })
        .collect();
    for (number, caller) in callers.into_iter().enumerate() {
        let result = caller.await.unwrap();
        let refused = [13, 30].contains(&number);
        assert_eq!(result.map_err(|error| error.kind()).err(), refused.then_some(ErrorKind::Database), "{number}");
    }
    assert_eq!(count(&pool).await, 38);
    // What is wrong with the entry itself is said before anything is sent.
    let invalid = stockade_audit_chain::Entry::new(tenant(1), stockade_audit_chain::Actor::user(""), "a");
    assert_eq!(appender.append(&invalid).await.unwrap_err().kind(), ErrorKind::InvalidEntry);
}

/// The role may insert for any tenant, one a statement; that is all.
#[sqlx::test(migrations = false)]
async fn the_role_reads_nothing_and_mixes_no_tenants(pool: PgPool) {
    install(&pool).await;
    let (appender, work) = start(&pool).await;
    appender.append(&entry(tenant(1), 1)).await.unwrap();
    drop(appender);
    work.await.unwrap();
    let mut connection = connect(&pool, APPENDER).await;
    for (context, attack) in [
        (1, "SELECT FROM stockade.audit_entry"),
        (1, "SELECT FROM stockade.audit_payload"),
        (1, "SELECT FROM stockade.audit_unsealed"),
        (1, "SELECT FROM stockade.audit_link"),
        (1, "UPDATE stockade.audit_entry SET action = 'x'"),
        (1, "DELETE FROM stockade.audit_unsealed"),
        (1, "SELECT stockade.audit_link_now(ARRAY[gen_random_uuid()])"),
        // A row of tenant 1 among those of tenant 2, table by table.
        (2, "INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES ('00000000-0000-0000-0000-000000000001', gen_random_uuid())"),
        (2, "INSERT INTO stockade.audit_payload VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', '{}', '{}')"),
        (2, "INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity, outcome, actor_kind, actor_id, leaf)
            VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 1, now(), 'x', 0, 'x', 'x', 'x', sha256('x'))"),
        // Backdated.
        (1, "INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity, outcome, actor_kind, actor_id, leaf)
            VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 1, now() - interval '6 minutes', 'x', 0, 'x', 'x', 'x', sha256('x'))"),
    ] {
        let mut tx = scope(&mut connection, tenant(context)).await;
        assert_eq!(sqlstate(sqlx::query(attack).execute(&mut *tx).await), "42501", "{attack}");
    }
}

#[sqlx::test(migrations = false)]
async fn waits_when_full_and_goes_on(pool: PgPool) {
    install(&pool).await;
    // Room for one.
    let (appender, work) = Appender::new(appenders(&pool).await, NonZeroU32::MIN);
    let first = entry(tenant(1), 1);
    let mut first = Box::pin(appender.append(&first));
    let second = entry(tenant(1), 2);
    let mut second = Box::pin(appender.append(&second));
    // Nobody writes yet: the first is queued, the second is not even that.
    assert!(timeout(Duration::ZERO, &mut first).await.is_err());
    assert!(timeout(Duration::ZERO, &mut second).await.is_err());
    let work = tokio::spawn(work);
    first.await.unwrap();
    second.await.unwrap();
    appender.close();
    work.await.unwrap();
    assert_eq!(count(&pool).await, 2);
}

#[sqlx::test(migrations = false)]
async fn a_caller_that_leaves_takes_nothing_with_it(pool: PgPool) {
    install(&pool).await;
    let (appender, work) = Appender::new(appenders(&pool).await, BUDGET);
    let (gone, stays) = (entry(tenant(1), 1), entry(tenant(1), 2));
    assert!(timeout(Duration::ZERO, appender.append(&gone)).await.is_err());
    let mut stays = Box::pin(appender.append(&stays));
    assert!(timeout(Duration::ZERO, &mut stays).await.is_err());
    tokio::spawn(work);
    let receipt = stays.await.unwrap();
    appender.flush().await.unwrap();
    let there: Vec<Uuid> =
        sqlx::query_scalar("SELECT entry_id FROM stockade.audit_entry").fetch_all(&pool).await.unwrap();
    assert!(there.contains(&receipt.entry_id) && there.len() == 2);
    // The memory of both is free again: all of it can be had.
    for number in 0..200 {
        appender.append(&entry(tenant(1), number)).await.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn flush_and_close_lose_nothing(pool: PgPool) {
    install(&pool).await;
    let (appender, work) = start(&pool).await;
    let append = |numbers: std::ops::Range<u64>| {
        let start = |number| {
            let appender = appender.clone();
            tokio::spawn(async move { appender.append(&entry(tenant(1), number)).await })
        };
        numbers.map(start).collect::<Vec<_>>()
    };
    let callers = append(0..30);
    tokio::task::yield_now().await;
    appender.flush().await.unwrap();
    let late = append(30..60);
    appender.close();
    work.await.unwrap();
    let mut stored = 0;
    for caller in callers.into_iter().chain(late) {
        match caller.await.unwrap() {
            Ok(_) => stored += 1,
            Err(error) => assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Closed, false)),
        }
    }
    assert_eq!(count(&pool).await, stored);
    assert_eq!(appender.append(&entry(tenant(1), 1)).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(appender.flush().await.unwrap_err().kind(), ErrorKind::Closed);
}

#[sqlx::test(migrations = false)]
async fn callers_of_an_appender_that_is_gone_are_told(pool: PgPool) {
    install(&pool).await;
    let (appender, work) = Appender::new(appenders(&pool).await, BUDGET);
    let waiting = entry(tenant(1), 1);
    let mut waiting = Box::pin(appender.append(&waiting));
    assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
    drop(work);
    assert_eq!(waiting.await.unwrap_err().kind(), ErrorKind::Unacknowledged);
    assert_eq!(appender.append(&entry(tenant(1), 1)).await.unwrap_err().kind(), ErrorKind::Closed);
}

/// Connections die at any point; each entry is stored once, and acknowledged only if it is.
#[sqlx::test(migrations = false)]
async fn lost_connections_lose_and_double_nothing(pool: PgPool) {
    const APPENDS: u64 = 300;
    install(&pool).await;
    let (appender, work) = start(&pool).await;
    let callers: Vec<_> = (0..6)
        .map(|caller| {
            let appender = appender.clone();
            tokio::spawn(async move {
                let (mut stored, mut unknown) = (Vec::new(), 0);
                for number in 0..APPENDS / 6 {
                    match appender.append(&entry(tenant(caller % 2), number)).await {
                        Ok(receipt) => stored.push(receipt.entry_id),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::Unacknowledged, "{error:?}");
                            unknown += 1;
                        }
                    }
                }
                (stored, unknown)
            })
        })
        .collect();
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'appender' AND datname = current_database()";
    let mut killed: i64 = 0;
    while !callers.iter().all(JoinHandle::is_finished) {
        killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&pool).await.unwrap();
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    drop(appender);
    work.await.unwrap();
    assert!(killed > 5, "{killed}");
    let there: BTreeSet<Uuid> = sqlx::query_scalar("SELECT entry_id FROM stockade.audit_entry")
        .fetch_all(&pool)
        .await
        .unwrap()
        .into_iter()
        .collect();
    let (mut acknowledged, mut unknown) = (BTreeSet::new(), 0);
    for caller in callers {
        let (stored, lost) = caller.await.unwrap();
        acknowledged.extend(stored);
        unknown += lost;
    }
    assert!(acknowledged.is_subset(&there));
    // Nothing is there that nobody appended, and nothing twice.
    assert!(there.len() - acknowledged.len() <= unknown, "{} there, {unknown} unknown", there.len());
    assert_eq!(seal(&pool).await.entries, there.len() as u64);
}

#[sqlx::test(migrations = false)]
async fn what_is_refused_or_unreachable_is_an_error_and_not_the_end(pool: PgPool) {
    install(&pool).await;
    let connections = appenders(&pool).await;
    let (appender, work) = Appender::new(connections.clone(), BUDGET);
    let work = tokio::spawn(work);
    appender.append(&entry(tenant(1), 1)).await.unwrap();
    let mut superuser = pool.acquire().await.unwrap();
    sqlx::raw_sql("REVOKE INSERT ON stockade.audit_entry FROM stockade_appender")
        .execute(&mut *superuser)
        .await
        .unwrap();
    assert_eq!(appender.append(&entry(tenant(1), 2)).await.unwrap_err().kind(), ErrorKind::Refused);
    sqlx::raw_sql("GRANT INSERT ON stockade.audit_entry TO stockade_appender").execute(&mut *superuser).await.unwrap();
    appender.append(&entry(tenant(1), 3)).await.unwrap();
    // Another appender, whose pool has no connection to give.
    drop(appender);
    work.await.unwrap();
    connections.close().await;
    let (appender, work) = Appender::new(connections, BUDGET);
    let _work = tokio::spawn(work);
    let error = appender.append(&entry(tenant(1), 4)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert_eq!(count(&pool).await, 2);
}

/// Passes bytes on until `deaf` is set; then the next answer of the server is lost, and the connection with it.
fn proxy(server: (String, u16), deaf: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let upstream = TcpStream::connect((server.0.as_str(), server.1)).unwrap();
            let (mut asking, mut asked) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut asking, &mut asked));
            let (mut answering, mut answered, deaf) = (upstream, client, deaf.clone());
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(read @ 1..) = answering.read(&mut buffer) {
                    if deaf.swap(false, Ordering::SeqCst) || answered.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = (answering.shutdown(Shutdown::Both), answered.shutdown(Shutdown::Both));
            });
        }
    });
    port
}

/// The commit happened and its answer never came: the appender finds out, and stores nothing twice.
#[sqlx::test(migrations = false)]
async fn an_answer_that_was_lost_after_the_commit_is_found_out(pool: PgPool) {
    install(&pool).await;
    let deaf = Arc::new(AtomicBool::new(false));
    let options = pool.connect_options().as_ref().clone();
    let port = proxy((options.get_host().to_owned(), options.get_port()), deaf.clone());
    let connections = PgPoolOptions::new().max_connections(1);
    let connections = connections.connect_with(options.host("127.0.0.1").port(port).username(APPENDER)).await.unwrap();
    let (appender, work) = Appender::new(connections, BUDGET);
    let work = tokio::spawn(work);
    appender.append(&entry(tenant(1), 1)).await.unwrap();
    for number in 2..=4 {
        deaf.store(true, Ordering::SeqCst);
        let receipt = appender.append(&entry(tenant(1), number)).await.unwrap();
        assert!(!deaf.load(Ordering::SeqCst));
        let there = sqlx::query_scalar("SELECT count(*) FROM stockade.audit_entry WHERE entry_id = $1");
        let there: i64 = there.bind(receipt.entry_id).fetch_one(&pool).await.unwrap();
        assert_eq!(there, 1);
    }
    drop(appender);
    work.await.unwrap();
    assert_eq!(count(&pool).await, 4);
    assert_eq!(seal(&pool).await.entries, 4);
}
