//! Recovery codes and the end of factors.

use stockade_session::{
    Store,
    store::{Lookup, TotpState},
};

use super::{account, digest, race};
use crate::support::user;

crate::on_both_stores! {
    codes_are_replaced_and_used_once
    one_code_has_one_taker
    replaced_codes_are_one_set
    factor_is_removed_with_its_codes
    factor_is_swapped
}

async fn with_factor<S: Store>(store: &S) {
    store.insert_account(&account()).await.unwrap();
    store.put_pending_totp(user(), b"seed").await.unwrap();
    assert!(!store.put_recovery_codes(user(), &[digest(1)]).await.unwrap(), "not active");
    store.activate_totp(user(), b"seed", -1).await.unwrap();
}

async fn codes_are_replaced_and_used_once<S: Store>(store: S) {
    assert!(!store.put_recovery_codes(user(), &[digest(1)]).await.unwrap(), "no account");
    assert_eq!(store.recovery_codes_left(user()).await.unwrap(), 0);
    with_factor(&store).await;
    assert!(store.put_recovery_codes(user(), &[1, 2, 3].map(digest)).await.unwrap());
    assert_eq!(store.consume_recovery_code(user(), &[digest(9)]).await.unwrap(), None);
    assert_eq!(store.consume_recovery_code(user(), &[]).await.unwrap(), None);
    assert_eq!(store.consume_recovery_code(user(), &[digest(9), digest(2)]).await.unwrap(), Some(2));
    assert_eq!(store.consume_recovery_code(user(), &[digest(2)]).await.unwrap(), None);
    assert!(store.put_recovery_codes(user(), &[digest(4)]).await.unwrap());
    assert_eq!(store.consume_recovery_code(user(), &[digest(1)]).await.unwrap(), None, "replaced");
    assert_eq!(store.recovery_codes_left(user()).await.unwrap(), 1);
    assert_eq!(store.consume_recovery_code(user(), &[digest(4)]).await.unwrap(), Some(0));
    assert_eq!(store.consume_recovery_code(user(), &[digest(4)]).await.unwrap(), None);
}

async fn one_code_has_one_taker<S: Store + Clone>(store: S) {
    with_factor(&store).await;
    store.put_recovery_codes(user(), &[0, 1, 2, 3, 4].map(digest)).await.unwrap();
    for code in 0..5 {
        let wins = race(32, || {
            let store = store.clone();
            async move { store.consume_recovery_code(user(), &[digest(code)]).await.unwrap().is_some() }
        });
        assert_eq!(wins.await, 1);
    }
    assert_eq!(store.recovery_codes_left(user()).await.unwrap(), 0);
}

/// Whoever comes last has written all codes that count.
async fn replaced_codes_are_one_set<S: Store + Clone>(store: S) {
    with_factor(&store).await;
    let sets = std::sync::atomic::AtomicU8::new(0);
    race(16, || {
        let (store, set) = (store.clone(), sets.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        async move { store.put_recovery_codes(user(), &[digest(set), digest(100 + set)]).await.unwrap() }
    })
    .await;
    assert_eq!(store.recovery_codes_left(user()).await.unwrap(), 2);
    let mut taken = Vec::new();
    for code in (0..16).chain(100..116) {
        if store.consume_recovery_code(user(), &[digest(code)]).await.unwrap().is_some() {
            taken.push(code);
        }
    }
    assert!(taken.len() == 2 && taken[1] == taken[0] + 100, "{taken:?}");
}

async fn factor_is_removed_with_its_codes<S: Store>(store: S) {
    assert!(!store.remove_totp(user()).await.unwrap());
    with_factor(&store).await;
    store.put_recovery_codes(user(), &[digest(1)]).await.unwrap();
    let before = store.account(Lookup::User(user())).await.unwrap().unwrap().versions.user;
    assert!(store.remove_totp(user()).await.unwrap());
    assert!(!store.remove_totp(user()).await.unwrap());
    let found = store.account(Lookup::User(user())).await.unwrap().unwrap();
    assert_eq!((found.totp, found.versions.user), (None, before + 1));
    assert_eq!(store.consume_recovery_code(user(), &[digest(1)]).await.unwrap(), None);
    assert!(store.put_pending_totp(user(), b"next").await.unwrap());
}

async fn factor_is_swapped<S: Store>(store: S) {
    assert!(!store.put_replacement_totp(user(), b"next").await.unwrap(), "no account");
    store.insert_account(&account()).await.unwrap();
    store.put_pending_totp(user(), b"seed").await.unwrap();
    assert!(!store.put_replacement_totp(user(), b"next").await.unwrap(), "not active");
    store.activate_totp(user(), b"seed", 5).await.unwrap();
    assert_eq!(store.replacement_totp(user()).await.unwrap(), None);
    assert!(store.put_replacement_totp(user(), b"other").await.unwrap());
    assert!(store.put_replacement_totp(user(), b"next").await.unwrap());
    assert_eq!(store.replacement_totp(user()).await.unwrap().as_deref(), Some(&b"next"[..]));
    assert!(store.consume_totp_step(user(), b"seed", 6).await.unwrap(), "the old one still counts");

    let before = store.account(Lookup::User(user())).await.unwrap().unwrap().versions.user;
    assert!(!store.swap_totp(user(), b"other", 7).await.unwrap());
    assert!(store.swap_totp(user(), b"next", 7).await.unwrap());
    assert!(!store.swap_totp(user(), b"next", 8).await.unwrap());
    let totp = store.totp(user()).await.unwrap().unwrap();
    assert_eq!((&*totp.sealed_seed, totp.state, totp.last_step), (&b"next"[..], TotpState::Active, 7));
    assert_eq!(store.replacement_totp(user()).await.unwrap(), None);
    assert_eq!(store.account(Lookup::User(user())).await.unwrap().unwrap().versions.user, before + 1);
}
