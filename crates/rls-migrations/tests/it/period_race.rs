//! One session posts while another closes.

use sqlx::types::Uuid;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Barrier;

use crate::support::{A, code, connect, protected, run, text};

/// Trials at each isolation level. `STOCKADE_PERIOD_RACES=10000` makes it 10,000.
const TRIALS: u32 = 1_000;
/// Pairs of sessions that race side by side.
const PAIRS: u32 = 6;
const LEVELS: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];

#[derive(Debug, Clone, Copy)]
enum Close {
    /// The period of the posting itself.
    Update,
    /// A later period, which nobody could have locked because it was not there.
    Insert,
    /// An earlier, closed period that grows over the posting's date.
    Lengthen,
}

impl Close {
    fn statement(self, tenant: Uuid) -> String {
        match self {
            Self::Update => {
                "UPDATE freight.fiscal_period SET closed_at = now() WHERE starts_on = '2024-01-01'".to_owned()
            }
            Self::Insert => {
                format!("INSERT INTO freight.fiscal_period VALUES ('{tenant}', '2024-02-01', '2024-02-29', now())")
            }
            Self::Lengthen => {
                "UPDATE freight.fiscal_period SET ends_on = '2024-01-20' WHERE starts_on = '2023-12-01'".to_owned()
            }
        }
    }
}

/// What came of the races of one pair.
#[derive(Debug, Default)]
struct Tally {
    posted: u32,
    refused: u32,
}

/// When the closing statement has come back, it holds the lock, so the postings that are committed at that moment are the last
/// ones that the closed period gets.
#[sqlx::test]
async fn close_and_post_cannot_both_win(pool: PgPool) {
    let _root = protected(&pool).await;
    let trials = std::env::var("STOCKADE_PERIOD_RACES").map_or(TRIALS, |trials| trials.parse().unwrap());
    let pairs: Vec<_> = (0..PAIRS).map(|pair| tokio::spawn(race(pool.clone(), pair, trials * 3 / PAIRS))).collect();
    let mut sum = Tally::default();
    for pair in pairs {
        let tally = pair.await.unwrap();
        sum.posted += tally.posted;
        sum.refused += tally.refused;
    }
    println!("{sum:?}");
    assert!(sum.posted > trials / 10 && sum.refused > trials / 10, "{sum:?}: the race was not one");
}

async fn race(pool: PgPool, pair: u32, trials: u32) -> Tally {
    let (mut root, mut witness) = (connect(&pool, "postgres").await, connect(&pool, "postgres").await);
    let (mut closer, mut poster) = (connect(&pool, "rls_test_app").await, connect(&pool, "rls_test_app").await);
    let mut tally = Tally::default();
    for trial in 0..trials {
        let level = *pick(&LEVELS, trial);
        let close = *pick(&[Close::Update, Close::Insert, Close::Lengthen], trial / 3);
        let [before_close, before_post] = *pick(&[[0, 0], [0, 1], [1, 0], [0, 0]], trial / 9);
        let tenant = Uuid::from_u128((u128::from(pair) << 64) + u128::from(trial) + 1000);
        let periods = format!(
            "INSERT INTO freight.fiscal_period VALUES
               ('{tenant}', '2023-12-01', '2023-12-31', now()), ('{tenant}', '2024-01-01', '2024-01-31', NULL)"
        );
        run(&mut root, &periods).await.unwrap();
        let closing = close.statement(tenant);
        let postings = format!("SELECT count(*)::text FROM freight.gl_posting WHERE tenant_id = '{tenant}'");
        let barrier = Barrier::new(2);
        let close_it = async {
            begin(&mut closer, tenant, level).await;
            barrier.wait().await;
            pause(before_close).await;
            let closed = run(&mut closer, &closing).await;
            let last = text(&mut witness, &postings).await;
            finish(&mut closer, closed).await.map(|()| last)
        };
        let post_it = async {
            begin(&mut poster, tenant, level).await;
            // A snapshot from before the close, which the stricter levels keep.
            run(&mut poster, "SELECT FROM freight.gl_posting").await.unwrap();
            barrier.wait().await;
            pause(before_post).await;
            let posted = run(&mut poster, &posting(tenant)).await;
            finish(&mut poster, posted).await
        };
        let (close_outcome, post_outcome) = tokio::join!(close_it, post_it);
        match post_outcome {
            Ok(()) => tally.posted += 1,
            Err(error) => {
                assert!(["SG001", "40001"].contains(&code(&error).as_str()), "{trial}: {error}");
                tally.refused += 1;
            }
        }
        match close_outcome {
            Ok(last) => {
                let after = text(&mut root, &postings).await;
                assert_eq!(after, last, "{trial}: {close:?}, {level}: posted after the close");
            }
            Err(error) => assert_eq!(code(&error), "40001", "{trial}: {error}"),
        }
    }
    tally
}

/// The control: a trigger that looks without locking, in the order in which it fails. The posting looks, the period is closed, the
/// posting commits.
#[sqlx::test]
async fn a_trigger_without_a_lock_lets_a_row_into_a_closed_period(pool: PgPool) {
    let mut root = protected(&pool).await;
    let naive = "
        CREATE FUNCTION freight.naive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF EXISTS (SELECT FROM freight.fiscal_period p
                      WHERE p.tenant_id = NEW.tenant_id AND p.closed_at IS NOT NULL AND p.ends_on >= NEW.posted_on) THEN
            RAISE EXCEPTION 'closed';
          END IF;
          RETURN NEW; END $$;
        GRANT USAGE ON SCHEMA freight TO rls_test_app;
        CREATE TRIGGER naive BEFORE INSERT ON freight.gl_posting FOR EACH ROW EXECUTE FUNCTION freight.naive()";
    run(&mut root, naive).await.unwrap();
    run(&mut root, &format!("INSERT INTO freight.fiscal_period VALUES ('{A}', '2024-01-01', '2024-01-31', NULL)"))
        .await
        .unwrap();
    let both = "SELECT (count(*) FILTER (WHERE p.closed_at IS NOT NULL))::text
                  FROM freight.fiscal_period p JOIN freight.gl_posting g ON g.tenant_id = p.tenant_id AND g.posted_on <= p.ends_on";
    let mut closer = connect(&pool, "rls_test_app").await;
    let mut poster = connect(&pool, "rls_test_app").await;
    for guard in ["DISABLE TRIGGER stockade_period_insert", "ENABLE ALWAYS TRIGGER stockade_period_insert"] {
        run(&mut root, &format!("ALTER TABLE freight.gl_posting {guard}")).await.unwrap();
        begin(&mut poster, A, "READ COMMITTED").await;
        run(&mut poster, &posting(A)).await.unwrap();
        begin(&mut closer, A, "READ COMMITTED").await;
        run(&mut closer, "SET LOCAL lock_timeout = '50ms'").await.unwrap();
        let closed = run(&mut closer, "UPDATE freight.fiscal_period SET closed_at = now()").await;
        let closed = finish(&mut closer, closed).await;
        finish(&mut poster, Ok(1)).await.unwrap();
        if guard.starts_with("DISABLE") {
            closed.unwrap();
            assert_eq!(text(&mut root, both).await, "1", "the naive trigger lets the row in");
            run(&mut root, "ALTER TABLE freight.gl_posting DISABLE TRIGGER USER; DELETE FROM freight.gl_posting;
                            ALTER TABLE freight.fiscal_period DISABLE TRIGGER USER; UPDATE freight.fiscal_period SET closed_at = NULL;
                            ALTER TABLE freight.fiscal_period ENABLE ALWAYS TRIGGER stockade_period_change").await.unwrap();
        } else {
            assert_eq!(code(&closed.unwrap_err()), "55P03", "the close waits for the posting");
            assert_eq!(text(&mut root, both).await, "0");
        }
    }
}

fn pick<T>(among: &[T], number: u32) -> &T {
    among.iter().cycle().nth(usize::try_from(number).unwrap() % among.len()).unwrap()
}

fn posting(tenant: Uuid) -> String {
    format!("INSERT INTO freight.gl_posting VALUES ('{tenant}', 1, '2024-01-15')")
}

async fn begin(conn: &mut PgConnection, tenant: Uuid, level: &str) {
    run(conn, &format!("BEGIN ISOLATION LEVEL {level}; SET LOCAL stockade.tenant_id = '{tenant}'")).await.unwrap();
}

async fn finish(conn: &mut PgConnection, outcome: Result<u64, sqlx::Error>) -> Result<(), sqlx::Error> {
    let outcome = match outcome {
        Ok(_) => run(conn, "COMMIT").await.map(drop),
        Err(error) => Err(error),
    };
    if outcome.is_err() {
        run(conn, "ROLLBACK").await.unwrap();
    }
    outcome
}

async fn pause(steps: u32) {
    tokio::time::sleep(std::time::Duration::from_micros(200 * u64::from(steps))).await;
}
