//! Search, as the application shows it.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use stockade_audit_chain::{
    Actor, Entry, ErrorKind, Severity, csv,
    sqlite::{Filter, record_at, search},
};

use crate::support::{Log, append, disarm, tenant};

#[tokio::test]
async fn shows_personal_values_where_they_were_recorded() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let receipt = append(&mut connection, tenant(1), 1).await[0];
    let page = search(&mut connection, &Filter::new(tenant(1))).await.unwrap();
    let row = &page.rows[0];
    assert_eq!((row.entry_id, row.seq, row.recorded_at), (receipt.entry_id, Some(1), receipt.recorded_at));
    assert_eq!((row.actor_name.as_deref(), row.user_agent.as_deref()), (Some("Ana Ruiz"), Some("curl/8.5")));
    assert_eq!(row.ip, Some("203.0.113.9".parse().unwrap()));
    assert_eq!(row.after.as_ref().unwrap().pointer("/driver/ssn").unwrap(), "219-09-9999");
    assert_eq!((row.status, row.severity, row.changes.len()), (Some(303), Severity::Notice, 2));
    assert!(csv(&page.rows).contains(",Ana Ruiz,dispatcher,"));
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn filters_and_pages() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let start = chrono::DateTime::from_timestamp_millis(1_767_225_600_000).unwrap();
    for number in 0..24 {
        let entry = Entry::new(
            tenant(1),
            Actor::user(format!("u-{}", number % 4)),
            if number % 3 == 0 { "load.create" } else { "load.update" },
        )
        .entity(if number % 2 == 0 { "load" } else { "driver" }, number)
        .severity([Severity::Info, Severity::Notice, Severity::Warning, Severity::Critical][number % 4]);
        // Two entries share each time, so that pages must be cut between them.
        let time = start + TimeDelta::hours(i64::try_from(number / 2).unwrap());
        record_at(&mut connection, &entry, time).await.unwrap();
    }
    append(&mut connection, tenant(2), 1).await;
    let all = || Filter::new(tenant(1));
    let hour = |hour| start + TimeDelta::hours(hour);
    let nanosecond = TimeDelta::nanoseconds(1);
    for (filter, expected) in [
        (all(), 24),
        (all().since(hour(11)), 2),
        (all().since(hour(11) + nanosecond), 0),
        (all().until(hour(1)), 2),
        (all().until(hour(1) + nanosecond), 4),
        (all().since(hour(2)).until(hour(5)), 6),
        (all().actor("u-1"), 6),
        (all().actor("u-9"), 0),
        (all().entity_type("load"), 12),
        (all().entity("driver", 7), 1),
        (all().entity("load", 7), 0),
        (all().action("load.create"), 8),
        (all().at_least(Severity::Warning), 12),
        (all().action("load.create").actor("u-0").entity_type("load").at_least(Severity::Info).since(hour(0)), 2),
        (all().entity("load", 12).actor("u-0").action("load.create"), 1),
        (all().entity("load", 12).actor("u-1"), 0),
        (Filter::new(tenant(2)), 1),
        (Filter::new(tenant(3)), 0),
    ] {
        let page = search(&mut connection, &filter).await.unwrap();
        assert_eq!(page.rows.len(), expected, "{filter:?}");
        assert_eq!(page.next, None);
    }

    let whole = search(&mut connection, &all()).await.unwrap().rows;
    let (mut paged, mut filter) = (Vec::new(), all().limit(NonZeroU32::new(7).unwrap()));
    loop {
        let page = search(&mut connection, &filter).await.unwrap();
        paged.extend(page.rows);
        match page.next {
            Some(next) => filter = filter.after(next.to_string().parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(paged, whole);
    assert!(
        whole.is_sorted_by(|newer, older| (newer.recorded_at, newer.entry_id) > (older.recorded_at, older.entry_id))
    );
}

#[tokio::test]
async fn a_row_that_is_no_entry_is_an_error_and_not_a_guess() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    disarm(&mut connection).await;
    sqlx::raw_sql("UPDATE stockade_audit_entry SET outcome = 'maybe'").execute(&mut connection).await.unwrap();
    let error = search(&mut connection, &Filter::new(tenant(1))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}
