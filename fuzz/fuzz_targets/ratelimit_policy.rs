//! The policy reader: never panics, every problem is one line, and what it accepts is a limiter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_ratelimit::Policy;

fuzz_target!(|text: &str| {
    match Policy::parse(text) {
        Ok(policy) => {
            let limiter = policy.limiter().capacity(1).build().unwrap();
            for rule in policy.routes().iter().flat_map(|route| route.rules()) {
                assert!(limiter.rule(rule.limit().name()).is_ok());
            }
        }
        Err(error) => {
            assert!(!error.to_string().contains('\n'));
            for problem in error.problems() {
                assert!(!problem.to_string().contains('\n'));
            }
        }
    }
});
