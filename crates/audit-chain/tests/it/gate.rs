//! Everything for the application works through an executor that is no connection and lets few
//! statements pass: a wrapper of a transaction that refuses what could end it or change its
//! context.

use futures_core::{future::BoxFuture, stream::BoxStream};
use sqlx::{
    Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr,
    postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use stockade_audit_chain::{
    Actor, ErasureRequest,
    postgres::{Filter, Subject, VerifyOptions, erase, record, search, tenants, verify},
};

use crate::support::{APP, ERASER, append, connect, entry, install, scope, seal, tenant};

const PASSES: [&str; 8] = ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE"];

/// With the number of statements that passed.
#[derive(Debug)]
pub(crate) struct Gate<'t>(pub(crate) &'t mut PgConnection, pub(crate) usize);

/// Refuses the simple protocol, which a query without arguments uses, and every other keyword.
fn guard<'q, E: Execute<'q, Postgres>>(mut query: E) -> (SqlStr, sqlx::postgres::PgArguments) {
    let arguments = query.take_arguments().unwrap().expect("only the extended protocol passes");
    let sql = query.sql();
    let keyword = sql.as_str().split_whitespace().next().unwrap_or_default().to_owned();
    assert!(PASSES.contains(&keyword.as_str()), "{keyword} does not pass");
    (sql, arguments)
}

impl<'c> Executor<'c> for &'c mut Gate<'_> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (sql, arguments) = guard(query);
        self.1 += 1;
        self.0.fetch_many(sqlx::query_with(sql, arguments))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (sql, arguments) = guard(query);
        self.1 += 1;
        self.0.fetch_optional(sqlx::query_with(sql, arguments))
    }

    fn prepare_with<'e>(self, _: SqlStr, _: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        unreachable!("nothing here prepares statements")
    }

    fn describe<'e>(self, _: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<Postgres>>>
    where
        'c: 'e,
    {
        unreachable!("nothing here describes statements")
    }
}

#[sqlx::test(migrations = false)]
async fn every_call_of_the_application_passes(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    seal(&pool).await;
    let request = ErasureRequest::new(Actor::user("officer"), "R-1", "GDPR Art. 17(1)(b)");
    let subject = Subject::Actor("user-1".to_owned());
    erase(&mut connect(&pool, ERASER).await, tenant(1), &subject, &request).await.unwrap();
    // Spawned, so that the futures must be `Send`.
    let work = async move {
        let mut app = connect(&pool, APP).await;
        let mut tx = scope(&mut app, tenant(1)).await;
        let mut gate = Gate(&mut tx, 0);
        record(&mut gate, &entry(tenant(1), 3)).await.unwrap();
        let report = verify(&mut gate, tenant(1), &VerifyOptions::default()).await.unwrap();
        assert!(report.is_intact());
        // What was erased and what states it: the application sees its tenant's evidence.
        assert_eq!((report.checked(), report.unsealed(), report.erased()), (2, 2, 3));
        assert_eq!(search(&mut gate, &Filter::new(tenant(1))).await.unwrap().rows.len(), 4);
        assert_eq!(tenants(&mut gate).await.unwrap(), [tenant(1)]);
        tx.commit().await.unwrap();
    };
    tokio::spawn(work).await.unwrap();
}
