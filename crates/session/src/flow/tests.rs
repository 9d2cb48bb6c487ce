use std::num::NonZeroUsize;

use uuid::Uuid;

use super::*;
use crate::{
    Argon2Params, Auth, ErrorKind, HashPool, HashPoolConfig, KeyRing, MemoryStore, NewAccount, TenantId, UserId,
};

/// Overload comes before the count: being turned away ten times locks nobody out.
#[tokio::test]
async fn overload_is_refused_and_counts_nothing() {
    let config = HashPoolConfig { params: Argon2Params::dangerously_weak(), workers: NonZeroUsize::MIN, queue: 0 };
    let pool = HashPool::new(config).unwrap();
    let keys = KeyRing::single(1, (0..32).collect::<Vec<u8>>()).unwrap();
    let auth = Auth::builder(MemoryStore::default(), keys).hash_pool(pool.clone()).build().unwrap();
    let (user, tenant) = (UserId::from(Uuid::from_u128(1)), TenantId::from(Uuid::from_u128(2)));
    let account = NewAccount { user, tenant, identifier: "ana@acme.test" };
    auth.accounts().create(account, "correct horse".into()).await.unwrap();
    let client = ClientInfo { ip: [127, 0, 0, 1].into(), user_agent: None };
    let password = || auth.begin("ana@acme.test", &client);

    // The place of `create` is free once its job is dropped, which is right after the answer.
    let place = loop {
        match pool.admit() {
            Ok(place) => break place,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    for _ in 0..10 {
        let flow = password().await.unwrap();
        assert_eq!(flow.verify_password("wrong".into()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    drop(place);
    let step = password().await.unwrap().verify_password("correct horse".into()).await.unwrap();
    assert!(matches!(step, Step::Done(_)));
}
