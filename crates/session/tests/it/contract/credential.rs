//! Step-up, passwords, resets and identifiers.

use chrono::TimeDelta;
use stockade_session::{
    IdentifierConfirmation as Confirmation, Store,
    store::{Digest, IdentifierChangeRecord, Lookup, NewAccountRecord, ResetRecord, Versions},
};
use uuid::Uuid;

use super::{account, digest, race, seconds, session};
use crate::support::{start, user};

crate::on_every_store! {
    step_up_rotates_and_dates
    step_up_has_one_winner
    password_is_changed_by_comparison
    resets_end
    one_reset_of_a_user_wins
    identifier_needs_both_sides
    identifier_that_is_taken_stays
    identifier_change_ends
}

async fn version<S: Store>(store: &S) -> i64 {
    store.account(Lookup::User(user())).await.unwrap().unwrap().versions.user
}

async fn step_up_rotates_and_dates<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(1), &session(1)).await.unwrap();
    assert!(store.step_up(&digest(9), &digest(2), start()).await.unwrap().is_none());
    let record = store.step_up(&digest(1), &digest(2), seconds(7)).await.unwrap().unwrap();
    assert_eq!((record.authenticated_at, record.last_seen_at), (seconds(7), seconds(7)));
    assert_eq!(store.resolve(&digest(2), seconds(7)).await.unwrap(), Some(record));
    assert!(store.resolve(&digest(1), seconds(7)).await.unwrap().is_none());
    let rotated = store.rotate(&digest(2), &digest(3), seconds(9)).await.unwrap().unwrap();
    assert_eq!((rotated.authenticated_at, rotated.last_seen_at), (seconds(7), seconds(9)));
    store.revoke(rotated.sid, start()).await.unwrap();
    assert!(store.step_up(&digest(3), &digest(4), seconds(9)).await.unwrap().is_none());
}

async fn step_up_has_one_winner<S: Store + Clone>(store: S) {
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(0), &session(1)).await.unwrap();
    let next = std::sync::atomic::AtomicU8::new(1);
    let wins = race(32, || {
        let (store, new) = (store.clone(), next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        async move { store.step_up(&digest(0), &digest(new), seconds(1)).await.unwrap().is_some() }
    });
    assert_eq!(wins.await, 1);
}

async fn password_is_changed_by_comparison<S: Store>(store: S) {
    assert_eq!(store.change_password(user(), "hash", "new").await.unwrap(), None);
    store.insert_account(&account()).await.unwrap();
    store.insert_session(&digest(1), &session(1)).await.unwrap();
    assert_eq!(store.change_password(user(), "other", "new").await.unwrap(), None);
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_some());
    let versions = Versions { user: 1, ..Versions::default() };
    assert_eq!(store.change_password(user(), "hash", "new").await.unwrap(), Some(versions));
    assert_eq!(store.change_password(user(), "hash", "newer").await.unwrap(), None);
    assert!(store.resolve(&digest(1), start()).await.unwrap().is_none());
    store.suspend_account(user()).await.unwrap();
    assert_eq!(store.change_password(user(), "new", "newer").await.unwrap(), None);
}

async fn reset<S: Store>(store: &S, token: Digest) {
    let record = ResetRecord { user: Some(user()), user_version: version(store).await, expires_at: seconds(10) };
    store.insert_reset(&token, &record).await.unwrap();
}

async fn resets_end<S: Store>(store: S) {
    let nobody = ResetRecord { user: None, user_version: 0, expires_at: seconds(10) };
    store.insert_reset(&digest(1), &nobody).await.unwrap();
    assert_eq!(store.reset(&digest(1), start()).await.unwrap(), None);
    assert!(!store.redeem_reset(&digest(1), "new", start()).await.unwrap());

    store.insert_account(&account()).await.unwrap();
    reset(&store, digest(2)).await;
    reset(&store, digest(3)).await;
    assert_eq!(store.reset(&digest(2), seconds(9)).await.unwrap(), Some(user()));
    assert_eq!(store.reset(&digest(2), seconds(10)).await.unwrap(), None);
    assert!(!store.redeem_reset(&digest(2), "new", seconds(10)).await.unwrap());
    assert!(!store.redeem_reset(&digest(9), "new", start()).await.unwrap());
    assert!(store.redeem_reset(&digest(2), "new", seconds(9)).await.unwrap());
    assert_eq!(store.account(Lookup::User(user())).await.unwrap().unwrap().password_hash, "new");
    for used_or_outstanding in [2, 3].map(digest) {
        assert_eq!(store.reset(&used_or_outstanding, start()).await.unwrap(), None);
        assert!(!store.redeem_reset(&used_or_outstanding, "newer", start()).await.unwrap());
    }
    reset(&store, digest(4)).await;
    store.suspend_account(user()).await.unwrap();
    reset(&store, digest(5)).await;
    for suspended in [4, 5].map(digest) {
        assert_eq!(store.reset(&suspended, start()).await.unwrap(), None);
        assert!(!store.redeem_reset(&suspended, "newer", start()).await.unwrap());
    }
}

/// Of one reset many times, and of several resets at once.
async fn one_reset_of_a_user_wins<S: Store + Clone>(store: S) {
    store.insert_account(&account()).await.unwrap();
    for round in 0..10 {
        let before = version(&store).await;
        for token in [0, 1] {
            reset(&store, digest(2 * round + token)).await;
        }
        let next = std::sync::atomic::AtomicU8::new(0);
        let wins = race(16, || {
            let (store, call) = (store.clone(), next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            let token = digest(2 * round + call % 2);
            async move { store.redeem_reset(&token, &format!("hash {round} {call}"), start()).await.unwrap() }
        });
        assert_eq!(wins.await, 1);
        assert_eq!(version(&store).await, before + 1);
    }
}

async fn change<S: Store>(store: &S, to: &str, old: Option<u8>, new: u8) {
    let change = IdentifierChangeRecord {
        user: user(),
        user_version: version(store).await,
        identifier: to.to_owned(),
        old: old.map(digest),
        new: digest(new),
        expires_at: seconds(10),
    };
    assert!(store.put_identifier_change(&change).await.unwrap());
}

async fn identifier_needs_both_sides<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    for (to, order) in [("bo", [1, 2]), ("cy", [2, 1])] {
        change(&store, to, Some(1), 2).await;
        let before = version(&store).await;
        let confirm = async |byte| store.confirm_identifier_change(&digest(byte), start()).await.unwrap();
        assert_eq!(confirm(9).await, Confirmation::Ended);
        assert_eq!(confirm(order[0]).await, Confirmation::Waiting);
        assert_eq!(confirm(order[0]).await, Confirmation::Waiting, "one side twice is one side");
        assert_eq!(version(&store).await, before);
        assert_eq!(confirm(order[1]).await, Confirmation::Changed(user()));
        assert_eq!(confirm(order[1]).await, Confirmation::Ended);
        assert_eq!(version(&store).await, before + 1);
        assert_eq!(store.account(Lookup::Identifier(to)).await.unwrap().unwrap().user, user());
    }
    assert!(store.account(Lookup::Identifier("ana")).await.unwrap().is_none());
    change(&store, "di", None, 3).await;
    assert_eq!(
        store.confirm_identifier_change(&digest(3), start()).await.unwrap(),
        Confirmation::Changed(user()),
        "the new side alone"
    );
}

async fn identifier_that_is_taken_stays<S: Store>(store: S) {
    store.insert_account(&account()).await.unwrap();
    let bo = NewAccountRecord { user: Uuid::from_u128(9).into(), identifier: "bo".to_owned(), ..account() };
    store.insert_account(&bo).await.unwrap();
    change(&store, "bo", None, 3).await;
    for _ in 0..2 {
        assert_eq!(store.confirm_identifier_change(&digest(3), start()).await.unwrap(), Confirmation::Taken);
    }
    assert_eq!(store.account(Lookup::User(user())).await.unwrap().unwrap().identifier, "ana");
    assert_eq!(version(&store).await, 0);
    store.delete_account(bo.user, start()).await.unwrap();
    assert_eq!(store.confirm_identifier_change(&digest(3), start()).await.unwrap(), Confirmation::Changed(user()));
}

async fn identifier_change_ends<S: Store>(store: S) {
    let nobody = IdentifierChangeRecord {
        user: user(),
        user_version: 0,
        identifier: "bo".to_owned(),
        old: None,
        new: digest(1),
        expires_at: start() + TimeDelta::days(1),
    };
    assert!(!store.put_identifier_change(&nobody).await.unwrap());
    store.insert_account(&account()).await.unwrap();
    let confirm = async |byte, at| store.confirm_identifier_change(&digest(byte), seconds(at)).await.unwrap();
    change(&store, "bo", None, 1).await;
    assert_eq!(confirm(1, 10).await, Confirmation::Ended, "expired");
    change(&store, "cy", None, 2).await;
    assert_eq!(confirm(1, 0).await, Confirmation::Ended, "another change took its place");
    store.change_password(user(), "hash", "new").await.unwrap();
    assert_eq!(confirm(2, 0).await, Confirmation::Ended, "the version grew");
    change(&store, "di", None, 3).await;
    store.suspend_account(user()).await.unwrap();
    assert_eq!(confirm(3, 0).await, Confirmation::Ended, "suspended");
    assert_eq!(store.account(Lookup::User(user())).await.unwrap().unwrap().identifier, "ana");
}
