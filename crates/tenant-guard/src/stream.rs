//! Rows of one tenant, compared as they are read.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::guard::Guard;
use crate::tenant::TenantScoped;

/// A stream of typed rows in which a foreign one is an error, not data. From [`Guard::check_stream`].
///
/// After a foreign row it ends: what else that statement would return is not to be trusted.
#[must_use = "streams do nothing unless polled"]
pub struct Guarded<S> {
    rows: Option<S>,
    guard: Guard,
}

impl<S> Guarded<S> {
    pub(crate) const fn new(rows: S, guard: Guard) -> Self {
        Self { rows: Some(rows), guard }
    }
}

impl<S, T> Stream for Guarded<S>
where
    S: Stream<Item = Result<T, sqlx::Error>> + Unpin,
    T: TenantScoped,
{
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rows) = &mut self.rows else {
            return Poll::Ready(None);
        };
        let Poll::Ready(row) = Pin::new(rows).poll_next(cx) else {
            return Poll::Pending;
        };
        if let Some(Ok(own)) = &row
            && let Err(foreign) = self.guard.check_row(own)
        {
            self.rows = None;
            return Poll::Ready(Some(Err(foreign.into())));
        }
        Poll::Ready(row)
    }
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("guard", &self.guard).finish_non_exhaustive()
    }
}
