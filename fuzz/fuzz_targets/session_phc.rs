//! Stored password hashes: whatever the text, verifying it ends, within the ceilings, and it matches nothing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stockade_session::{Argon2Params, HashPool, HashPoolConfig, Verdict};

static POOL: LazyLock<HashPool> = LazyLock::new(|| {
    let config = HashPoolConfig { params: Argon2Params::dangerously_weak(), ..HashPoolConfig::default() };
    HashPool::new(config).expect("a pool")
});

fuzz_target!(|text: &str| {
    // What is within the ceilings may still take seconds, which is no finding.
    if text.split(['=', ',', '$']).any(|part| part.parse::<u32>().is_ok_and(|number| number > 64)) {
        return;
    }
    let verdict = block_on(POOL.verify("correct horse".into(), Some(text.to_owned())));
    assert!(verdict.is_ok_and(|verdict| matches!(verdict, Verdict::Mismatch | Verdict::Refused)));
});

/// Waits on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
