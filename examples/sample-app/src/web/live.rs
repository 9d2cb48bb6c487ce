//! Keeping a page up to date while it is open: server-sent events, for as long as the person may see the page.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header::CACHE_CONTROL};
use maud::{Markup, html};
use stockade::{
    bridge::request::{Asked, Reads, Refused},
    rbac::Scope,
    session::{Access, Touch, tower::Visit},
};
use tokio::{sync::mpsc, time::Instant};

use super::problem::Problem;
use crate::{app::App, authority::Visitor, desk::Look, live::Seat, permissions::Perm};

/// How often it is asked again whether the person may see the page, when nothing happens. Before anything is shown it is asked too.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(5);
/// A line that says nothing, for proxies that end what is quiet.
const BEAT: Duration = Duration::from_secs(15);
/// Then the browser connects anew, through the guard of the route.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long a browser waits before it does.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A page that somebody follows.
pub(crate) struct Following {
    pub(crate) app: Arc<App>,
    seat: Seat,
    visit: Visit,
    asked: Asked,
    permission: Perm,
    until: Instant,
    events: mpsc::Sender<Event>,
}

/// Whether a page goes on.
pub(crate) type Goes<T = ()> = Result<T, End>;

/// Why a page does not go on.
pub(crate) enum End {
    /// The browser is to connect anew.
    ForNow,
    /// It is not; this is for the person.
    ForGood(&'static str),
    /// The application or its database failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Answers with what `follow` sends, until it ends or the browser goes away.
pub(crate) fn answer<F, Fut>(
    app: Arc<App>,
    visit: Visit,
    visitor: &Visitor,
    permission: Perm,
    follow: F,
) -> Result<Response, Problem>
where
    F: FnOnce(Following) -> Fut + Send + 'static,
    Fut: Future<Output = Goes> + Send,
{
    let seat = app.live.sit(visitor.user.tenant_id, visitor.user.id);
    let seat = seat.ok_or(Problem::TooMany { retry_after: LONGEST.as_secs() })?;
    // One event at a time: who does not read holds up nothing but the reading of their own next one.
    let (events, mut received) = mpsc::channel(1);
    let asked = visitor.own.asked().clone();
    let until = Instant::now() + LONGEST;
    let following = Following { app, seat, visit, asked, permission, until, events: events.clone() };
    tokio::spawn(async move {
        let ended = tokio::select! {
            () = events.closed() => return,
            ended = follow(following) => ended,
        };
        match ended {
            Ok(()) | Err(End::ForNow) => {}
            Err(End::ForGood(why)) => drop(events.send(Event::default().event("end").data(why)).await),
            Err(End::Failed(error)) => complain(&error),
        }
    });
    let first = stream::iter([Event::default().retry(AGAIN_AFTER).comment("following")]);
    let rest = stream::poll_fn(move |context| received.poll_recv(context));
    let events = stream::StreamExt::map(stream::StreamExt::chain(first, rest), Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(BEAT)).into_response();
    let headers = response.headers_mut();
    // A proxy that compresses or buffers would keep events for itself until it has enough of them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

impl Following {
    /// Waits until the tenant's log goes on behind entry `seq`, and says how far. To wait is no use of the session.
    pub(crate) async fn beyond(&mut self, seq: u64) -> Goes<u64> {
        loop {
            tokio::select! {
                head = self.seat.beyond(seq) => return head.ok_or(End::ForNow),
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
            self.still().await?.close().await?;
        }
    }

    /// Waits a moment.
    pub(crate) async fn pause(&mut self, moment: Duration) -> Goes {
        tokio::select! {
            () = self.seat.closing() => Err(End::ForNow),
            () = tokio::time::sleep(moment) => Ok(()),
        }
    }

    /// A look of the person as of now, unless the session has ended or what it took to see the page was taken.
    pub(crate) async fn still(&self) -> Goes<Look> {
        if Instant::now() >= self.until {
            return Err(End::ForNow);
        }
        let over = End::ForGood("You are signed out. Reload the page to sign in.");
        let Some(token) = self.visit.token() else { return Err(over) };
        let Access::Granted(session) = self.app.auth.access_with(token, Touch::Never).await? else { return Err(over) };
        let by = self.app.requests.desk(session, self.asked.clone()).into();
        match self.app.enter(by, None).await {
            Ok((_, look)) if look.scope(self.permission) != Scope::None => Ok(look),
            Ok(_) | Err(Refused::NoMember) => Err(End::ForGood("You may not see this page any more.")),
            Err(failed) => Err(failed.into()),
        }
    }

    /// Sends an event. An error when the browser is gone.
    pub(crate) async fn send(&self, event: Event) -> Goes {
        self.events.send(event).await.map_err(|_| End::ForNow)
    }
}

/// The number behind which a browser goes on that was connected before, or the one that its page was made with.
pub(crate) fn resume(headers: &HeaderMap, asked: Option<u64>) -> Option<u64> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    last.or(asked)
}

/// The line that says whether the page is followed, with its script. Without the script there is no line.
pub(crate) fn bar(stream: &str, target: &str) -> Markup {
    html! {
        div.follow hidden data-follow=(stream) data-target=(target) {
            span.muted role="status" { "Connecting ..." }
            button.quiet.small type="button" { "Pause" }
        }
        script src="/live.js" defer {}
    }
}

#[expect(clippy::print_stderr, reason = "the operator's log of this example is standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!("sample-app: a page could not be followed further: {error:#}");
}
