//! Decision by decision beside the plain log.

use proptest::prelude::*;
use stockade_ratelimit::{Rule, Source};

use crate::bench::{Log, Single, cost, n, ns, traffic};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn exact_rule_is_the_log(
        limit in 1_u32..12,
        (window, steps) in traffic(12),
        ends in prop::collection::vec((0_u8..5, 0_usize..4, 1_u32..15), 150),
    ) {
        let single = Single::new(&Rule::exact("rule", n(limit), ns(window)));
        let (mut log, mut now, mut held) = (Log::default(), 0, Vec::new());
        for (step, (end, which, extra)) in steps.into_iter().zip(ends) {
            single.advance(step.gap);
            now += step.gap;
            let units = step.cost.min(limit);

            let peeked = single.peek(units);
            let admits = log.admits(now, window, limit, units);
            prop_assert_eq!(peeked.allowed, admits);
            prop_assert_eq!(peeked.retry_after, ns(log.wait(now, window, limit, units)));
            prop_assert_eq!(peeked.remaining, limit - log.used(now, window));
            prop_assert_eq!(peeked.reset_after, ns(log.reset(now, window)));

            let permit = single.reserve(units);
            prop_assert_eq!(permit.is_some(), admits);
            if let Some(permit) = permit {
                let index = log.charge(now, units);
                let decision = permit.decision();
                prop_assert!(decision.allowed && decision.source == Source::Memory);
                prop_assert_eq!(decision.limit, limit);
                prop_assert_eq!(decision.remaining, limit - log.used(now, window));
                prop_assert_eq!(decision.reset_after, ns(log.reset(now, window)));
                prop_assert!(decision.retry_after.is_zero());
                held.push((permit, index));
            }
            if held.len() > which {
                match end {
                    1 => {
                        let (permit, index) = held.swap_remove(which);
                        permit.refund();
                        log.charges[index].1 = 0;
                    }
                    2 => {
                        let (permit, _) = held.swap_remove(which);
                        permit.penalize(cost(extra));
                        let room = limit - log.used(now, window);
                        log.charge(now, extra.min(room));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A token bucket beside a bucket of tokens: the tokens are counted, in parts of a nanosecond's worth, and come
    /// back as time passes.
    #[test]
    fn gcra_rule_is_a_bucket_of_tokens(
        (burst, more) in (1_u32..12, 0_u32..12),
        (window, steps) in traffic(12),
        refunds in prop::collection::vec(any::<bool>(), 150),
    ) {
        let rule = match more {
            0 => Rule::gcra("rule", n(burst), ns(window)),
            _ => Rule::gcra_strict("rule", n(burst + more), ns(window), n(burst)),
        };
        let token = window.div_ceil(u64::from(if more == 0 { burst } else { more }));
        let full = token * u64::from(burst);
        let single = Single::new(&rule);
        let mut tokens = full;
        for (step, refund) in steps.into_iter().zip(refunds) {
            single.advance(step.gap);
            tokens = full.min(tokens + step.gap);
            let wanted = u64::from(step.cost.min(burst)) * token;

            let peeked = single.peek(step.cost.min(burst));
            prop_assert_eq!(peeked.allowed, tokens >= wanted);
            prop_assert_eq!(peeked.retry_after, ns(wanted.saturating_sub(tokens)));
            prop_assert_eq!(u64::from(peeked.remaining), tokens / token);
            prop_assert_eq!(peeked.reset_after, ns(full - tokens));
            prop_assert_eq!(peeked.limit, burst);

            match single.reserve(step.cost.min(burst)) {
                Some(permit) if refund => permit.refund(),
                Some(permit) => {
                    tokens -= wanted;
                    permit.commit();
                }
                None => prop_assert!(tokens < wanted),
            }
        }
    }

    #[test]
    fn window_rule_is_between_two_logs(limit in 1_u32..12, (window, steps) in traffic(12)) {
        let single = Single::new(&Rule::window("rule", n(limit), ns(window)));
        let (mut log, mut now) = (Log::default(), 0);
        for step in steps {
            single.advance(step.gap);
            now += step.gap;
            let units = step.cost.min(limit);
            if single.check(units).allowed {
                prop_assert!(log.admits(now, window, limit, units));
                log.charge(now, units);
            } else {
                prop_assert!(!log.admits(now, 16 * window.div_ceil(15), limit, units));
            }
        }
    }

    /// Where the bucket edges are known, a window rule is as predictable as an exact one: what was charged in bucket k
    /// counts until bucket k + 16 begins.
    #[test]
    fn window_rule_forgets_whole_buckets(limit in 1_u32..12, (window, steps) in traffic(12)) {
        let single = Single::new(&Rule::window("rule", n(limit), ns(window)));
        let width = window.div_ceil(15);
        let (mut log, mut now) = (Log::default(), 0);
        for step in steps {
            single.advance(step.gap);
            now += step.gap;
            let units = step.cost.min(limit);
            // The log of bucket numbers, with a window of 16 buckets.
            let bucket = now / width;
            let decision = single.check(units);
            prop_assert_eq!(decision.allowed, log.admits(bucket, 16, limit, units));
            if decision.allowed {
                log.charge(bucket, units);
            } else {
                let wait = log.wait(bucket, 16, limit, units);
                prop_assert_eq!(decision.retry_after, ns((bucket + wait) * width - now));
            }
            prop_assert_eq!(decision.remaining, limit - log.used(bucket, 16));
        }
    }
}
