//! Collectors that fail, hang or stay silent.

use std::{
    error::Error as _,
    future::{pending, ready},
};

use chrono::{DateTime, Utc};
use stockade_posture::{Assessment, Collector, ControlId, Error, Observation, Subject, from_fn, run};

use crate::evidence::now;

const CONTROLS: [ControlId; 2] = [ControlId::CRYPTO_FIELDS, ControlId::CRYPTO_ROTATION];

fn fields(at: DateTime<Utc>) -> Observation {
    Observation::pass(ControlId::CRYPTO_FIELDS, Subject::new("freight.driver.ssn"), at)
}

fn words(seen: &[Observation]) -> Vec<(&str, &str, &str)> {
    seen.iter().map(|o| (o.control().as_str(), o.outcome().word(), o.outcome().reason().unwrap_or_default())).collect()
}

#[tokio::test]
async fn a_failure_makes_every_control_unknown() {
    let cause = std::io::Error::other("connection to 10.0.0.7 refused: password=hunter2");
    let collector =
        from_fn("keys", &CONTROLS, async |_| Err(Error::unavailable_because("the key service did not answer", cause)));
    let seen = run(collector, now(), pending()).await;
    assert_eq!(
        words(&seen),
        [
            ("crypto.fields", "unknown", "the key service did not answer"),
            ("crypto.rotation", "unknown", "the key service did not answer"),
        ]
    );
    assert!(seen.iter().all(|o| o.collector() == "keys" && o.collected_at() == now()));
    assert!(!format!("{seen:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_deadline_makes_every_control_unknown() {
    let collector = from_fn("keys", &CONTROLS, async |at| {
        pending::<()>().await;
        Ok(vec![fields(at)])
    });
    let seen = run(collector, now(), ready(())).await;
    assert_eq!(
        words(&seen),
        [
            ("crypto.fields", "unknown", "the collector did not finish in time"),
            ("crypto.rotation", "unknown", "the collector did not finish in time"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_may_be_a_timer() {
    let collector = from_fn("keys", &CONTROLS, async |_| {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        Ok(vec![])
    });
    let seen = run(collector, now(), tokio::time::sleep(std::time::Duration::from_secs(10))).await;
    assert_eq!(words(&seen)[0].2, "the collector did not finish in time");
}

#[tokio::test]
async fn silence_about_a_control_is_unknown() {
    let seen = run(from_fn("keys", &CONTROLS, async |at| Ok(vec![fields(at)])), now(), pending()).await;
    assert_eq!(
        words(&seen),
        [
            ("crypto.fields", "pass", ""),
            ("crypto.rotation", "unknown", "the collector reported nothing for this control")
        ]
    );
}

#[tokio::test]
async fn what_is_ready_counts_even_at_the_deadline() {
    let seen = run(from_fn("keys", &CONTROLS[..1], async |at| Ok(vec![fields(at)])), now(), ready(())).await;
    assert_eq!(words(&seen), [("crypto.fields", "pass", "")]);
}

/// A collector of its own type, used for one assessment after another.
#[tokio::test]
async fn a_reference_can_be_a_collector() {
    struct Keys {
        age_in_days: i64,
    }

    impl Collector for &Keys {
        fn name(&self) -> &'static str {
            "keys"
        }

        fn controls(&self) -> &[ControlId] {
            &CONTROLS[1..]
        }

        async fn collect(self, at: DateTime<Utc>) -> Result<Vec<Observation>, Error> {
            let seen = Observation::pass(ControlId::CRYPTO_ROTATION, Subject::new("kek"), at);
            Ok(vec![seen.fact("age in days", self.age_in_days)])
        }
    }

    let keys = Keys { age_in_days: 41 };
    for _ in 0..2 {
        let assessment = Assessment::builder(now()).observe(run(&keys, now(), pending()).await).build();
        assert_eq!(assessment.coverage().measured, 1);
    }
}

/// The future of `run` can be spawned.
#[tokio::test]
async fn a_run_can_move_between_threads() {
    let task = tokio::spawn(run(from_fn("keys", &CONTROLS, async |at| Ok(vec![fields(at)])), now(), pending()));
    assert_eq!(task.await.unwrap().len(), 2);
}

#[test]
fn the_cause_of_an_error_is_kept_and_not_shown() {
    let error = Error::unavailable_because("the key service did not answer", std::io::Error::other("secret"));
    assert_eq!(error.to_string(), "the key service did not answer");
    assert_eq!(error.source().unwrap().to_string(), "secret");
    assert!(error.is_retryable());
    let error = "no\nsuch\u{202E}control".parse::<ControlId>().unwrap_err();
    assert_eq!(error.to_string(), "no control is called `no such\u{FFFD}control`");
}
