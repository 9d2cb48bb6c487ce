//! Collectors: what gathers observations, and the deadline it has.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use chrono::{DateTime, Utc};

use crate::{
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
};

/// Gathers observations of some controls.
///
/// `collect` consumes the collector: one that serves many assessments implements this for a reference to itself.
pub trait Collector {
    /// The name printed beside the evidence.
    fn name(&self) -> &'static str;

    /// The controls it measures. If it fails, each of them becomes unknown.
    fn controls(&self) -> &[ControlId];

    /// Measures. `at` is the time to put on the observations.
    ///
    /// What does not hold is a failed [`Observation`]; an [`Error`] says that it could not be found out.
    fn collect(self, at: DateTime<Utc>) -> impl Future<Output = Result<Vec<Observation>, Error>> + Send;
}

/// A collector made of a function. See [`from_fn`].
pub struct FnCollector<'a, F> {
    name: &'static str,
    controls: &'a [ControlId],
    function: F,
}

/// Makes a collector of an async function or closure.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use stockade_posture::{ControlId, Error, Observation, Outcome, Subject, from_fn, run};
///
/// # async fn count_stale_hashes() -> Result<u64, std::io::Error> { Ok(3) }
/// # async fn example(now: DateTime<Utc>) {
/// let hashes = from_fn("password store", &[ControlId::PASSWORD_HASH], async move |at| {
///     let stale = count_stale_hashes()
///         .await
///         .map_err(|cause| Error::unavailable_because("the password store did not answer", cause))?;
///     let store = Subject::new("password store");
///     Ok(vec![match stale {
///         0 => Observation::pass(ControlId::PASSWORD_HASH, store, at),
///         n => Observation::fail(ControlId::PASSWORD_HASH, store, at, "hashes below the current parameters").fact("stale", n),
///     }])
/// });
/// let deadline = std::future::pending(); // in an application: tokio::time::sleep(Duration::from_secs(10))
/// let seen = run(hashes, now, deadline).await;
/// assert!(matches!(seen[0].outcome(), Outcome::Fail { .. }));
/// # }
/// # let mut task = std::pin::pin!(example(Utc::now()));
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(task.as_mut().poll(&mut context).is_ready());
/// ```
pub const fn from_fn<'a, F, Fut>(name: &'static str, controls: &'a [ControlId], function: F) -> FnCollector<'a, F>
where
    F: FnOnce(DateTime<Utc>) -> Fut,
    Fut: Future<Output = Result<Vec<Observation>, Error>> + Send,
{
    FnCollector { name, controls, function }
}

/// Runs a collector until it is done or `deadline` resolves, whichever comes first.
///
/// Every control that the collector declares is in the result: with what was observed, or as unknown if the collector failed,
/// did not finish, or had nothing to say. The deadline is any future, so that this crate needs no async runtime; a
/// collector that blocks its thread cannot be interrupted by it.
pub async fn run<C, D>(collector: C, at: DateTime<Utc>, deadline: D) -> Vec<Observation>
where
    C: Collector,
    D: Future<Output = ()>,
{
    let (name, controls) = (collector.name(), collector.controls().to_vec());
    let mut work = pin!(collector.collect(at));
    let mut deadline = pin!(deadline);
    let finished = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => deadline.as_mut().poll(context).map(|()| None),
    })
    .await;

    let (mut seen, reason) = match finished {
        Some(Ok(seen)) => (seen, "the collector reported nothing for this control".to_owned()),
        Some(Err(error)) => (vec![], error.to_string()),
        None => (vec![], "the collector did not finish in time".to_owned()),
    };
    for control in controls {
        if !seen.iter().any(|observation| observation.control() == control) {
            seen.push(Observation::unknown(control, Subject::new(name), at, &reason).by(name));
        }
    }
    seen
}

impl<F, Fut> Collector for FnCollector<'_, F>
where
    F: FnOnce(DateTime<Utc>) -> Fut + Send,
    Fut: Future<Output = Result<Vec<Observation>, Error>> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn controls(&self) -> &[ControlId] {
        self.controls
    }

    fn collect(self, at: DateTime<Utc>) -> impl Future<Output = Result<Vec<Observation>, Error>> + Send {
        (self.function)(at)
    }
}

impl<F> std::fmt::Debug for FnCollector<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FnCollector")
            .field("name", &self.name)
            .field("controls", &self.controls)
            .finish_non_exhaustive()
    }
}
