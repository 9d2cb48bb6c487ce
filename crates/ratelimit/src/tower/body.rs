//! Response bodies, counted where a rule counts bytes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};

use crate::route::Unit;
use crate::tower::gate::Correct;

/// The body of a response: the service's own, or nothing in a refusal.
///
/// Where rules count bytes, they are corrected to what was sent when the body is dropped: at its end, or when the client
/// goes away.
pub struct LimitedBody<B, P: Correct> {
    inner: Option<B>,
    meters: Vec<Meter<P>>,
}

/// Corrects one permit to the bytes that went by.
pub(super) struct Meter<P: Correct> {
    permit: Option<P>,
    bytes: u64,
}

impl<B, P: Correct> LimitedBody<B, P> {
    pub(super) fn passed(body: B, meters: Vec<Meter<P>>) -> Self {
        Self { inner: Some(body), meters }
    }

    pub(super) fn empty() -> Self {
        Self { inner: None, meters: Vec::new() }
    }
}

impl<P: Correct> Meter<P> {
    /// A permit that counts requests stays charged as it is.
    pub(super) fn of(permit: P, unit: Unit) -> Option<Self> {
        match unit {
            Unit::Requests => None,
            Unit::Kibibytes { .. } => Some(Self { permit: Some(permit), bytes: 0 }),
        }
    }
}

impl<P: Correct> Drop for Meter<P> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.correct(u32::try_from(self.bytes.div_ceil(1024)).unwrap_or(u32::MAX));
        }
    }
}

impl<B: Body + Unpin, P: Correct + Unpin> Body for LimitedBody<B, P> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let sent = u64::try_from(data.remaining()).unwrap_or(u64::MAX);
            this.meters.iter_mut().for_each(|meter| meter.bytes = meter.bytes.saturating_add(sent));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: fmt::Debug, P: Correct> fmt::Debug for LimitedBody<B, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
