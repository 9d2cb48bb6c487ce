//! An attacker who reads and writes Redis.

use stockade_session::{MemoryStore, Store};

use super::*;

/// Every key of a namespace with its value.
async fn dump(namespace: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut redis = connect().await;
    let mut all = Vec::new();
    for key in keys(namespace).await {
        let value = ::redis::cmd("GET").arg(&key).query_async(&mut redis).await.unwrap();
        all.push((key, value));
    }
    all.sort_by_key(|(_, value): &(_, Vec<u8>)| value.len());
    all
}

async fn put(key: &[u8], value: &[u8]) {
    let () = ::redis::cmd("SET").arg(key).arg(value).query_async(&mut connect().await).await.unwrap();
}

/// What was kept for one token, under the name of another one, which the attacker holds.
#[tokio::test]
async fn nobody_is_let_in_by_another_ones_entry() {
    let (primary, name) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    primary.insert_session(&digest(2), &record(2)).await.unwrap();
    let store = over(primary, connect().await, &name);
    let at = async |byte| store.resolve(&digest(byte), start()).await.unwrap().map(|record| record.sid);
    assert!(found(&store).await);
    let first = dump(&name).await.pop().unwrap();
    assert_eq!(at(2).await, Some(record(2).sid));
    let second = dump(&name).await.into_iter().rev().find(|(key, value)| *key != first.0 && value.len() > 100).unwrap();
    store.revoke(record(2).sid, start()).await.unwrap();
    assert_eq!(at(2).await, None);
    assert!(found(&store).await);
    let first = dump(&name).await.into_iter().find(|(key, _)| *key == first.0).unwrap();
    put(&second.0, &first.1).await;
    let hits = store.stats().hits;
    assert_eq!(at(2).await, None, "the control below shows that its stamps are good");
    assert_eq!(at(1).await, Some(record(1).sid));
    assert_eq!(store.stats().hits, hits + 1);
    // Cut short, empty, with another tail, of another type.
    for value in [&first.1[..1], &first.1[..160], &first.1[..200], b"", &[&first.1[..], b"x"].concat(), &[0; 4_000]] {
        put(&first.0, value).await;
        assert_eq!(at(1).await, Some(record(1).sid), "looked up");
    }
    assert_eq!(store.stats().hits, hits + 1);
    let mut redis = connect().await;
    let _: i64 = ::redis::cmd("DEL").arg(&first.0).query_async(&mut redis).await.unwrap();
    let _: i64 = ::redis::cmd("LPUSH").arg(&first.0).arg("x").query_async(&mut redis).await.unwrap();
    assert_eq!(at(1).await, Some(record(1).sid), "looked up");
    assert_eq!(store.stats().failures, 1);
}

/// Who puts everything back as it was before a revocation has its session for the rest of the bound by the application's clock, and
/// not for longer.
#[tokio::test]
async fn a_replay_ends_with_the_bound() {
    let (primary, name) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let store = over(primary, connect().await, &name);
    assert!(found(&store).await);
    let before = dump(&name).await;
    store.revoke(record(1).sid, start()).await.unwrap();
    assert!(!found(&store).await);
    for (key, value) in &before {
        put(key, value).await;
    }
    let at = async |millis| store.resolve(&digest(1), start() + TimeDelta::milliseconds(millis)).await.unwrap();
    assert!(at(4_999).await.is_some(), "as documented");
    assert!(at(5_000).await.is_none());
}

/// No byte of what is kept can be changed without making it a miss, and no key of another application opens it.
#[tokio::test]
async fn another_ring_reads_nothing() {
    let (primary, name) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let store = over(primary.clone(), connect().await, &name);
    assert!(found(&store).await);
    let keys = KeyRing::single(1, key(3)).unwrap();
    let other = CachedStore::new(MemoryStore::default(), connect().await, &keys, &name, Staleness::default()).unwrap();
    assert!(!found(&other).await);
    primary.revoke(record(1).sid, start()).await.unwrap();
    assert!(found(&store).await, "still kept");
    let (key, value) = dump(&name).await.pop().unwrap();
    for at in 0..value.len() {
        let mut changed = value.clone();
        changed[at] ^= 1;
        put(&key, &changed).await;
        assert!(!found(&store).await, "{at}");
    }
    put(&key, &value).await;
    assert!(found(&store).await, "the attack changed nothing else");
}
