//! Housekeeping.

use chrono::{DateTime, TimeDelta, Utc};
use stockade_session::{
    LockoutPolicy, Store, Swept,
    store::{FlowRecord, IdentifierChangeRecord, ResetRecord, SessionRecord, SweepBounds},
};

use super::{account, digest, flow, seconds, session};
use crate::support::{start, user};

crate::on_both_stores! {
    sweep_removes_what_ended_and_nothing_else
    sweep_is_bounded
    locked_buckets_stay
}

fn until(time: DateTime<Utc>) -> SweepBounds {
    SweepBounds { ended_before: time, attempts_before: time, networks_before: time }
}

async fn sweep_removes_what_ended_and_nothing_else<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    for (byte, ends) in [(1, 10), (2, 20)] {
        let expires_at = seconds(ends);
        store.insert_flow(&digest(byte), &FlowRecord { expires_at, ..flow() }).await.unwrap();
        let reset = ResetRecord { user: (byte == 1).then(user), user_version: 0, expires_at };
        store.insert_reset(&digest(byte), &reset).await.unwrap();
        store.reserve_attempt(&digest(byte), &LockoutPolicy::default(), expires_at).await.unwrap();
        let ip = std::net::IpAddr::from([203, 0, 113, byte]);
        store.note_network(user(), ip.into(), expires_at, seconds(-9), 9).await.unwrap();
    }
    let change = IdentifierChangeRecord {
        user: user(),
        user_version: 0,
        identifier: "bo".to_owned(),
        old: None,
        new: digest(1),
        expires_at: seconds(10),
    };
    store.put_identifier_change(&change).await.unwrap();
    // By the absolute limit, by the idle limit, by revocation, and not at all.
    let short = SessionRecord { expires_at: seconds(10), ..session(1) };
    let idle = SessionRecord { idle: TimeDelta::seconds(10), ..session(2) };
    for (byte, record) in [(1, short), (2, idle), (3, session(3)), (4, session(4))] {
        store.insert_session(&digest(byte), &record).await.unwrap();
    }
    store.revoke(session(3).sid, seconds(10)).await.unwrap();

    assert_eq!(store.sweep(&until(seconds(10)), 100).await.unwrap(), Swept::default(), "not before the end");
    assert_eq!(store.sweep(&until(seconds(11)), 100).await.unwrap(), Swept::new(1, 1, 2, 3, 1));
    assert_eq!(store.sweep(&until(seconds(11)), 100).await.unwrap(), Swept::default());
    assert!(store.flow(&digest(2), start()).await.unwrap().is_some());
    assert!(store.resolve(&digest(4), start()).await.unwrap().is_some());
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_none());
    assert_eq!(store.networks(user()).await.unwrap().len(), 1);
    assert_eq!(store.sweep(&until(seconds(21)), 100).await.unwrap(), Swept::new(1, 1, 1, 0, 1));
    assert!(store.resolve(&digest(4), start()).await.unwrap().is_some());
}

async fn sweep_is_bounded<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    for byte in 0..10 {
        store.insert_flow(&digest(byte), &flow()).await.unwrap();
        store.insert_session(&digest(byte), &session(byte.into())).await.unwrap();
    }
    for expected in [4, 4, 2, 0] {
        assert_eq!(store.sweep(&until(seconds(5000)), 4).await.unwrap(), Swept::new(expected, 0, 0, expected, 0));
    }
}

async fn locked_buckets_stay<S: Store>(store: S) {
    for _ in 0..5 {
        store.reserve_attempt(&digest(1), &LockoutPolicy::default(), start()).await.unwrap();
    }
    assert_eq!(store.sweep(&until(seconds(60)), 9).await.unwrap().attempts, 0, "locked for a minute");
    assert_eq!(store.sweep(&until(seconds(61)), 9).await.unwrap().attempts, 1);
}
