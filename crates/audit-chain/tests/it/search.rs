//! Search, as the application shows it.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use serde_json::json;
use sqlx::PgPool;
use stockade_audit_chain::{
    Actor, ActorKind, Entry, ErrorKind, Outcome, RequestContext, Severity, csv,
    postgres::{Cursor, Filter, follow, record, record_at, search},
};

use crate::support::{APP, append, connect, disarm, install, scope, seal, tenant};

#[sqlx::test(migrations = false)]
async fn shows_what_was_recorded(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let (before, after) = (json!({"a": {"ssn": "1"}, "b": [1, 2]}), json!({"a": {"ssn": "2"}, "b": [1, {"x": null}]}));
    let occurred = chrono::DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
    let entry = Entry::new(
        tenant(1),
        Actor::user("u-1").named("Ana").with_role("admin").on_behalf_of("u-2").in_impersonation("g-1"),
        "user.update",
    )
    .entity("user", "u-9")
    .before(before.clone())
    .after(after.clone())
    .personal(&["/a/ssn", "/b/1"])
    .request(
        RequestContext::new()
            .ip("::ffff:10.0.0.1".parse::<std::net::IpAddr>().unwrap())
            .user_agent("curl")
            .endpoint("PUT", "/users/{id}")
            .status(204)
            .request_id("r-1"),
    )
    .severity(Severity::Critical)
    .outcome(Outcome::Failure)
    .occurred_at(occurred);
    let receipt = record(&mut *tx, &entry).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = scope(&mut app, tenant(1)).await;
    let row = search(&mut *tx, &Filter::new(tenant(1))).await.unwrap().rows.remove(0);
    assert_eq!((row.entry_id, row.tenant, row.seq, row.is_sealed()), (receipt.entry_id, tenant(1), None, false));
    assert_eq!((row.recorded_at, row.occurred_at), (receipt.recorded_at, Some(occurred)));
    assert_eq!((row.severity, row.outcome, row.action.as_str()), (Severity::Critical, Outcome::Failure, "user.update"));
    assert_eq!(
        (row.actor_kind, row.actor_id.as_str(), row.actor_name.as_deref()),
        (ActorKind::User, "u-1", Some("Ana"))
    );
    assert_eq!(
        (row.actor_role.as_deref(), row.on_behalf_of.as_deref(), row.impersonation.as_deref()),
        (Some("admin"), Some("u-2"), Some("g-1"))
    );
    assert_eq!((row.entity_type.as_deref(), row.entity_id.as_deref()), (Some("user"), Some("u-9")));
    assert_eq!((row.before.as_ref(), row.after.as_ref()), (Some(&before), Some(&after)));
    assert_eq!(row.changes, ["/a/ssn", "/b"]);
    assert_eq!((row.ip, row.user_agent.as_deref()), (Some("10.0.0.1".parse().unwrap()), Some("curl")));
    assert_eq!(
        (row.method.as_deref(), row.endpoint.as_deref(), row.status, row.request_id.as_deref()),
        (Some("PUT"), Some("/users/{id}"), Some(204), Some("r-1"))
    );
    assert!(!format!("{row:?}").contains("Ana") && !format!("{entry:?}").contains("ssn"));
    assert!(csv(&[row]).contains(",Ana,admin,u-2,g-1,user,u-9,"));
    drop(tx);

    seal(&pool).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let page = search(&mut *tx, &Filter::new(tenant(1))).await.unwrap();
    assert_eq!(page.rows[0].seq, Some(1));
    assert_eq!(page.next, None);
}

#[sqlx::test(migrations = false)]
async fn filters_and_pages(pool: PgPool) {
    install(&pool).await;
    // As a superuser, who may date entries: one an hour.
    let start = chrono::DateTime::from_timestamp_millis(1_767_225_600_000).unwrap();
    let mut superuser = pool.acquire().await.unwrap();
    for number in 0..24 {
        let entry = Entry::new(
            tenant(1),
            Actor::user(format!("u-{}", number % 4)),
            if number % 3 == 0 { "load.create" } else { "load.update" },
        )
        .entity(if number % 2 == 0 { "load" } else { "driver" }, number)
        .severity([Severity::Info, Severity::Notice, Severity::Warning, Severity::Critical][number % 4]);
        // Two entries share each time, so that pages must be cut between them.
        record_at(&mut *superuser, &entry, start + TimeDelta::hours(i64::try_from(number / 2).unwrap())).await.unwrap();
    }
    append(&pool, tenant(2), 1).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let all = || Filter::new(tenant(1));
    let hour = |hour| start + TimeDelta::hours(hour);
    for (filter, expected) in [
        (all(), 24),
        (all().since(hour(11)), 2),
        (all().until(hour(1)), 2),
        (all().since(hour(2)).until(hour(5)), 6),
        (all().actor("u-1"), 6),
        (all().actor("u-9"), 0),
        (all().entity_type("load"), 12),
        (all().entity("driver", 7), 1),
        (all().entity("load", 7), 0),
        (all().action("load.create"), 8),
        (all().at_least(Severity::Warning), 12),
        (all().action("load.create").actor("u-0").entity_type("load").at_least(Severity::Info).since(hour(0)), 2),
        // Whatever the filter says, the context decides.
        (Filter::new(tenant(2)), 0),
    ] {
        let page = search(&mut *tx, &filter).await.unwrap();
        assert_eq!(page.rows.len(), expected, "{filter:?}");
        assert_eq!(page.next, None);
    }

    let whole = search(&mut *tx, &all()).await.unwrap().rows;
    assert!(
        whole.is_sorted_by(|newer, older| (newer.recorded_at, newer.entry_id) > (older.recorded_at, older.entry_id))
    );
    let (mut paged, mut filter) = (Vec::new(), all().limit(NonZeroU32::new(7).unwrap()));
    loop {
        let page = search(&mut *tx, &filter).await.unwrap();
        paged.extend(page.rows);
        match page.next {
            // Through the text that a link would carry.
            Some(next) => filter = filter.after(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    let id = "00000000000000000000000000000000";
    let hyphenated = "1_00000000-0000-0000-0000-000000000000";
    let times =
        ["", "x", "-1", "+1", "01", "-8000000000000000", "99999999999999999999"].map(|time| format!("{time}_{id}"));
    for text in ["", "_", "1_", hyphenated].into_iter().chain(times.iter().map(String::as_str)) {
        assert_eq!(text.parse::<Cursor>().unwrap_err().kind(), ErrorKind::Malformed, "{text}");
    }
}

#[sqlx::test(migrations = false)]
async fn a_row_that_is_no_entry_is_an_error_and_not_a_guess(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    sqlx::query("UPDATE stockade.audit_entry SET outcome = 'maybe'").execute(&mut *superuser).await.unwrap();
    let error = search(&mut *superuser, &Filter::new(tenant(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

/// By what the server reads of indexes: a page deep in the log costs what the second costs, with a filter and without.
#[sqlx::test(migrations = false)]
async fn a_page_deep_in_the_log_is_as_cheap_as_the_second(pool: PgPool) {
    const ENTRIES: u64 = 8_000;
    install(&pool).await;
    append(&pool, tenant(1), ENTRIES).await;
    let mut superuser = pool.acquire().await.unwrap();
    sqlx::raw_sql("VACUUM ANALYZE stockade.audit_entry").execute(&mut *superuser).await.unwrap();
    let read = "SELECT sum(idx_blks_read + idx_blks_hit)::bigint FROM pg_statio_user_indexes WHERE relname LIKE 'audit_entry%'";
    let mut pages = async |filter: Filter| -> i64 {
        let mut app = connect(&pool, APP).await;
        let before: i64 = sqlx::query_scalar(read).fetch_one(&mut *superuser).await.unwrap();
        let mut tx = scope(&mut app, tenant(1)).await;
        assert_eq!(search(&mut *tx, &filter).await.unwrap().rows.len(), 10);
        tx.commit().await.unwrap();
        // What this connection has counted is there for all before the answer is.
        sqlx::raw_sql("SELECT pg_stat_force_next_flush()").execute(&mut app).await.unwrap();
        let after: i64 = sqlx::query_scalar(read).fetch_one(&mut *superuser).await.unwrap();
        after - before
    };
    for filter in [Filter::new(tenant(1)), Filter::new(tenant(1)).action("load.update")] {
        let few = || filter.clone().limit(NonZeroU32::new(10).unwrap());
        let mut app = connect(&pool, APP).await;
        let mut tx = scope(&mut app, tenant(1)).await;
        let mut end = async |rows| {
            let limit = NonZeroU32::new(rows).unwrap();
            search(&mut *tx, &filter.clone().limit(limit)).await.unwrap().next.unwrap()
        };
        let (second, deep) = (end(10).await, end(6_000).await);
        drop(tx);
        // Of three times the least: the server's own housekeeping reads indexes too.
        let (mut least_second, mut least_deep) = (i64::MAX, i64::MAX);
        for _ in 0..3 {
            least_second = least_second.min(pages(few().after(second)).await);
            least_deep = least_deep.min(pages(few().after(deep)).await);
        }
        let (second, deep) = (least_second, least_deep);
        assert!(deep <= second + 1, "{deep} pages of indexes deep in the log, {second} for the second: {filter:?}");
    }
}

/// The entries of a page are looked for where the newest are; the months before stay closed.
#[sqlx::test(migrations = false)]
async fn a_page_opens_the_partitions_of_few_months(pool: PgPool) {
    const MONTHS: u32 = 36;
    install(&pool).await;
    let months = "SELECT stockade.audit_add_month(date_trunc('month', now()) - make_interval(months => m))
        FROM generate_series(1, $1) AS m";
    let mut superuser = pool.acquire().await.unwrap().detach();
    sqlx::raw_sql("SET ROLE stockade_owner").execute(&mut superuser).await.unwrap();
    sqlx::query(months).bind(MONTHS.cast_signed()).execute(&mut superuser).await.unwrap();
    sqlx::raw_sql("RESET ROLE").execute(&mut superuser).await.unwrap();
    let now = chrono::Utc::now();
    let ago = |months| now.checked_sub_months(chrono::Months::new(months)).unwrap();
    for month in 0..MONTHS {
        for actor in ["often", "often", if month % 12 == 5 { "seldom" } else { "often" }] {
            let entry = Entry::new(tenant(1), Actor::user(actor), "load.update");
            record_at(&mut superuser, &entry, ago(month)).await.unwrap();
        }
    }
    let opened = "SELECT count(DISTINCT c.oid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE l.pid = pg_backend_pid() AND c.relispartition AND c.relkind = 'r' AND c.relname LIKE 'audit_entry%'";
    let few = |filter: Filter| filter.limit(NonZeroU32::new(4).unwrap());
    let all = || Filter::new(tenant(1));
    let mut app = connect(&pool, APP).await;
    let mut cursor = None;
    // The months ahead and the default partition are open too where nothing bounds the newest entry.
    for (filter, rows, most) in [
        (few(all()), 4, 9),
        (few(all()).until(ago(30)), 4, 5),
        (few(all()).since(ago(14)).until(ago(12)), 4, 4),
        (all().since(ago(2)), 6, 8),
        (all().actor("seldom"), 3, 42),
    ] {
        let mut tx = scope(&mut app, tenant(1)).await;
        let page = search(&mut *tx, &filter).await.unwrap();
        let open: i64 = sqlx::query_scalar(opened).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(page.rows.len(), rows, "{filter:?}");
        assert!((1..=most).contains(&open), "{open} partitions for {filter:?}");
        cursor = cursor.or(page.next);
    }
    // The next page begins where the first ended, and is as cheap.
    let mut tx = scope(&mut app, tenant(1)).await;
    let page = search(&mut *tx, &few(all()).after(cursor.unwrap())).await.unwrap();
    let open: i64 = sqlx::query_scalar(opened).fetch_one(&mut *tx).await.unwrap();
    assert!(page.rows.len() == 4 && open <= 5, "{open}");
    // Page by page or at once, it is the same log.
    let whole = search(&mut *tx, &all().limit(NonZeroU32::MAX)).await.unwrap().rows;
    assert_eq!(whole.len(), 108);
    let (mut paged, mut next) = (Vec::new(), Some(few(all())));
    while let Some(filter) = next.take() {
        let page = search(&mut *tx, &filter).await.unwrap();
        paged.extend(page.rows);
        next = page.next.map(|cursor| filter.after(cursor));
    }
    assert!(paged == whole && whole.is_sorted_by(|one, next| one.entry_id > next.entry_id));
}

#[sqlx::test(migrations = false)]
async fn following_gives_each_entry_of_the_tenant_once_and_in_order(pool: PgPool) {
    install(&pool).await;
    for (whose, count) in [(1, 1), (2, 2), (1, 3)] {
        append(&pool, tenant(whose), count).await;
    }
    seal(&pool).await;
    append(&pool, tenant(1), 1).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let pairs = Filter::new(tenant(1)).limit(NonZeroU32::new(2).unwrap());
    let (mut seen, mut last) = (Vec::new(), 0);
    loop {
        let rows = follow(&mut *tx, &pairs, last).await.unwrap();
        let Some(end) = rows.last() else { break };
        last = end.seq.unwrap();
        seen.extend(rows.iter().map(|row| (row.seq.unwrap(), row.tenant)));
    }
    assert_eq!(seen, [(1, tenant(1)), (2, tenant(1)), (3, tenant(1)), (4, tenant(1))]);
    let behind = follow(&mut *tx, &Filter::new(tenant(1)), 3).await.unwrap();
    assert_eq!((behind.len(), behind[0].seq), (1, Some(4)));
    assert!(follow(&mut *tx, &Filter::new(tenant(1)), u64::MAX).await.unwrap().is_empty());
    assert!(follow(&mut *tx, &Filter::new(tenant(1)).action("nothing"), 0).await.unwrap().is_empty());
    // The other tenant's log has entries, and this scope finds none of them whatever it asks for.
    assert!(follow(&mut *tx, &Filter::new(tenant(2)), 0).await.unwrap().is_empty());
    let mut superuser = pool.acquire().await.unwrap();
    assert_eq!(follow(&mut *superuser, &Filter::new(tenant(2)), 0).await.unwrap().len(), 2, "the control");
}

#[sqlx::test(migrations = false)]
async fn following_while_entries_are_sealed_leaves_none_out(pool: PgPool) {
    install(&pool).await;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    append(&pool, tenant(1), 3).await;
                    seal(&pool).await;
                }
            })
        })
        .collect();
    let mut app = connect(&pool, APP).await;
    let mut seen = Vec::new();
    while seen.len() < 120 {
        let over = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let mut tx = scope(&mut app, tenant(1)).await;
        let rows = follow(&mut *tx, &Filter::new(tenant(1)), seen.len() as u64).await.unwrap();
        assert!(!(over && rows.is_empty()), "{} of 120 entries came", seen.len());
        seen.extend(rows.into_iter().map(|row| row.seq.unwrap()));
    }
    assert_eq!(seen, (1..=120).collect::<Vec<u64>>());
    for writer in writers {
        writer.await.unwrap();
    }
}
