//! The texts of tokens: never panics, one text for one token, and nothing that was not made here is anybody's.
#![no_main]

use std::{net::Ipv4Addr, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use stockade_session::{
    ApiTokenPolicy, Auth, ClientInfo, DeviceToken, KeyRing, MemoryStore, PendingToken, RefreshToken, SessionToken,
};

static AUTH: LazyLock<Auth> = LazyLock::new(|| {
    let keys = KeyRing::single(1, (0..32).collect::<Vec<u8>>()).expect("a key");
    let policy = ApiTokenPolicy::new("acme", |_| true).expect("a prefix");
    Auth::builder(MemoryStore::default(), keys).api_tokens(policy).build().expect("an auth")
});

fuzz_target!(|text: &str| {
    if let Ok(token) = text.parse::<SessionToken>() {
        assert_eq!(*token.expose(), text);
        assert!(text.parse::<PendingToken>().is_ok() && text.parse::<RefreshToken>().is_ok());
    }
    if let Ok(device) = text.parse::<DeviceToken>() {
        assert_eq!(*device.expose(), text);
    }
    let client = ClientInfo { ip: Ipv4Addr::LOCALHOST.into(), user_agent: None };
    assert!(now(AUTH.api_tokens().authenticate(text, &client)).is_ok_and(|token| token.is_none()));
});

/// The memory store never waits.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => unreachable!("the memory store waits"),
    }
}
