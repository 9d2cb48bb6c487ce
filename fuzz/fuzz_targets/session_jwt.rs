//! JWTs: never panics, and what no key of ours signed is refused.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use libfuzzer_sys::fuzz_target;
use stockade_session::{Auth, JwtCheck, JwtPolicy, KeyRing, MemoryStore};

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    // Made anew each time, so that no input is signed.
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("random numbers");
    let policy =
        JwtPolicy::new("https://acme.test", "api", Duration::from_secs(900), JwtCheck::Stateless).expect("a policy");
    let keys = KeyRing::single(1, key).expect("a key");
    Auth::builder(MemoryStore::default(), keys).jwts(policy).build().expect("an auth")
});

fuzz_target!(|text: &str| {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(AUTH.jwts().verify(text)).poll(&mut context) {
        std::task::Poll::Ready(claims) => assert!(claims.is_ok_and(|claims| claims.is_none())),
        std::task::Poll::Pending => unreachable!("no store is asked"),
    }
    match std::pin::pin!(AUTH.jwts().caller(text)).poll(&mut context) {
        std::task::Poll::Ready(caller) => assert!(caller.is_ok_and(|caller| caller.is_none())),
        std::task::Poll::Pending => unreachable!("no store is asked"),
    }
});
