//! The layer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame};
use stockade_ratelimit::tower::{LimitedBody, RateLimitLayer, Refusal, Subject};
use stockade_ratelimit::{
    Asked, By, Disclosure, ErrorKind, Key, Limiter, ManualClock, Permit, Route, RouteRule, Rule, Unit,
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::bench::{cost, n};

const MINUTE: Duration = Duration::from_secs(60);

/// A body of so many KiB, one a frame.
struct Kibibytes(u32);

impl Body for Kibibytes {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.checked_sub(1).map(|left| {
            self.0 = left;
            Ok(Frame::data(Bytes::from_static(&[0; 1024])))
        }))
    }
}

struct Desk {
    clock: ManualClock,
    limiter: Limiter,
    route: Route,
    served: Arc<AtomicU32>,
}

type Answer = Response<LimitedBody<Kibibytes, Permit>>;

impl Desk {
    fn new(route: Route) -> Self {
        let clock = ManualClock::new();
        let limiter = Limiter::builder().route(&route).capacity(4_096).clock(clock.clone()).build().unwrap();
        Self { clock, limiter, route, served: Arc::default() }
    }

    async fn get(&self, subject: Subject, kibibytes: u32) -> Answer {
        let layer = RateLimitLayer::new(self.limiter.clone(), &self.route, move |_: &_| subject.clone()).unwrap();
        let served = Arc::clone(&self.served);
        let mut service = layer.layer(service_fn(move |_: Request<()>| {
            served.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, Infallible>(Response::new(Kibibytes(kibibytes))) }
        }));
        service.ready().await.unwrap().call(Request::new(())).await.unwrap()
    }

    fn left(&self, rule: &str, key: Key) -> u32 {
        self.limiter.peek(&[(rule, key)], cost(1)).unwrap().remaining
    }
}

fn route(disclosure: Disclosure) -> Route {
    Route::new("r").disclosing(disclosure).rule(RouteRule::new(Rule::exact("r.ip", n(2), MINUTE), [By::Ip]))
}

fn peer() -> IpAddr {
    "203.0.113.9".parse().unwrap()
}

fn read(body: &mut LimitedBody<Kibibytes, Permit>) -> Option<usize> {
    let mut context = Context::from_waker(std::task::Waker::noop());
    match Pin::new(body).poll_frame(&mut context) {
        Poll::Ready(frame) => Some(frame?.unwrap().into_data().unwrap().len()),
        Poll::Pending => panic!("pending"),
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_refused_request_does_not_reach_the_service() {
    let desk = Desk::new(route(Disclosure::RetryAfter));
    for _ in 0..2 {
        assert_eq!(desk.get(Subject::at(peer()), 0).await.status(), StatusCode::OK);
    }
    desk.clock.advance(Duration::from_millis(500));
    let mut refused = desk.get(Subject::at(peer()), 0).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(field(refused.headers(), "retry-after"), Some("60"), "59.5 seconds, rounded up");
    assert_eq!(refused.headers().len(), 1, "sign-in pages say no more than that");
    assert!(matches!(refused.extensions().get(), Some(Refusal::ByRule(decision)) if !decision.allowed));
    assert!(refused.body().is_end_stream() && read(refused.body_mut()).is_none());
    assert_eq!(desk.served.load(Ordering::SeqCst), 2);
    let other = Subject::at("203.0.113.10".parse().unwrap());
    assert_eq!(desk.get(other, 0).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn full_disclosure_is_the_draft() {
    let desk = Desk::new(route(Disclosure::Full));
    let answer = desk.get(Subject::at(peer()), 0).await;
    assert_eq!(field(answer.headers(), "ratelimit-policy"), Some("\"r.ip\";q=2;w=60"));
    assert_eq!(field(answer.headers(), "ratelimit"), Some("\"r.ip\";r=1;t=60"));
    assert_eq!(field(answer.headers(), "retry-after"), None);
    let _ = desk.get(Subject::at(peer()), 0).await;
    desk.clock.advance(MINUTE / 2);
    let refused = desk.get(Subject::at(peer()), 0).await;
    assert_eq!(field(refused.headers(), "ratelimit"), Some("\"r.ip\";r=0;t=30"));
    assert_eq!(field(refused.headers(), "retry-after"), Some("30"), "never earlier than t");

    let silent = Desk::new(route(Disclosure::Nothing));
    for _ in 0..3 {
        assert!(silent.get(Subject::at(peer()), 0).await.headers().is_empty());
    }
}

#[tokio::test]
async fn a_request_without_its_key_is_refused_not_waved_through() {
    let desk = Desk::new(route(Disclosure::Full));
    let refused = desk.get(Subject::unknown(), 0).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let Some(Refusal::Unanswered(error)) = refused.extensions().get() else { panic!("no reason") };
    assert_eq!(error.kind(), ErrorKind::MissingKey);

    let visitors = route(Disclosure::Full)
        .rule(RouteRule::new(Rule::exact("r.user", n(1), MINUTE), [By::User]).asked(Asked::IfKnown));
    let desk = Desk::new(visitors);
    assert_eq!(desk.get(Subject::at(peer()), 0).await.status(), StatusCode::OK);
    assert_eq!(desk.get(Subject::at(peer()).with_user([1]), 0).await.status(), StatusCode::OK);
    desk.clock.advance(MINUTE * 2);

    let only =
        Route::new("o").rule(RouteRule::new(Rule::exact("o.user", n(1), MINUTE), [By::User]).asked(Asked::IfKnown));
    let desk = Desk::new(only);
    assert_eq!(desk.get(Subject::at(peer()), 0).await.status(), StatusCode::SERVICE_UNAVAILABLE, "no rule is left");
    assert_eq!(desk.served.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn keys_of_a_rule_are_taken_together() {
    let both = Route::new("b").rule(RouteRule::new(Rule::exact("b.pair", n(1), MINUTE), [By::Tenant, By::Route]));
    let desk = Desk::new(both);
    let tenant = |id: u8| Subject::at(peer()).with_tenant([id]);
    assert_eq!(desk.get(tenant(1), 0).await.status(), StatusCode::OK);
    assert_eq!(desk.get(tenant(1), 0).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(desk.get(tenant(2), 0).await.status(), StatusCode::OK);
    assert_eq!(desk.left("b.pair", Key::tenant([1]).and(&Key::text("b"))), 0);
}

fn downloads() -> Route {
    let bytes = RouteRule::new(Rule::window("d.bytes", n(100), MINUTE), [By::User]);
    Route::new("d")
        .disclosing(Disclosure::Full)
        .rule(RouteRule::new(Rule::window("d.user", n(50), MINUTE), [By::User]))
        .rule(bytes.counting(Unit::Kibibytes { reserve: n(40) }))
}

#[tokio::test]
async fn bytes_are_reserved_and_then_settled() {
    let desk = Desk::new(downloads());
    let user = || Subject::unknown().with_user([7]);
    let left = || desk.left("d.bytes", Key::user([7]));
    let mut first = desk.get(user(), 10).await;
    let mut second = desk.get(user(), 10).await;
    assert_eq!(left(), 20, "two at once have both reserved");
    assert_eq!(
        field(second.headers(), "ratelimit-policy"),
        Some("\"d.user\";q=50;w=60, \"d.bytes\";q=102400;w=60;qu=\"content-bytes\"")
    );
    assert!(field(second.headers(), "ratelimit").unwrap().contains("\"d.bytes\";r=20480;"));
    assert_eq!(desk.get(user(), 10).await.status(), StatusCode::TOO_MANY_REQUESTS, "a third has no room");
    assert_eq!(desk.left("d.user", Key::user([7])), 48, "and what it was charged as a request is taken back");

    while read(first.body_mut()).is_some() {}
    drop(first);
    assert_eq!(left(), 50, "ten were sent");
    assert_eq!(read(second.body_mut()), Some(1024));
    drop(second);
    assert_eq!(left(), 89, "the client went away after one");

    let mut large = desk.get(user(), 60).await;
    while read(large.body_mut()).is_some() {}
    drop(large);
    assert_eq!(left(), 29, "more than was reserved is charged too");
}

#[tokio::test]
async fn a_failed_service_keeps_the_reservation_no_longer_than_its_answer() {
    let desk = Desk::new(downloads());
    drop(desk.get(Subject::unknown().with_user([7]), 0).await);
    assert_eq!(desk.left("d.bytes", Key::user([7])), 100);
    assert_eq!(desk.left("d.user", Key::user([7])), 49);
}

#[tokio::test]
async fn a_customer_with_many_networks_has_few_times_the_limit() {
    let desk = Desk::new(Route::sign_up());
    let mut admitted = 0;
    for network in 0..400_u32 {
        let address: IpAddr = format!("2001:db8:1:{network:x}::1").parse().unwrap();
        admitted += u32::from(desk.get(Subject::at(address), 0).await.status() == StatusCode::OK);
    }
    assert_eq!(admitted, 80, "two /56 with four times the limit of ten");
    for network in 0..0x1000_u32 {
        let address: IpAddr = format!("2001:db8:1:{:x}::1", network << 4).parse().unwrap();
        admitted += u32::from(desk.get(Subject::at(address), 0).await.status() == StatusCode::OK);
    }
    assert_eq!(admitted, 160, "the whole /48 has sixteen times the limit");
}

#[test]
fn a_layer_that_would_ask_nothing_is_not_built() {
    let handler = RouteRule::new(Rule::exact("h.account", n(1), MINUTE), [By::Account]).asked(Asked::ByHandler);
    let routes = [
        (Route::new("h").rule(handler), ErrorKind::NoRules),
        (Route::new("k").rule(RouteRule::new(Rule::exact("k.k", n(1), MINUTE), [])), ErrorKind::InvalidConfiguration),
    ];
    for (route, kind) in routes {
        let limiter = Limiter::builder().route(&route).build().unwrap();
        let error = RateLimitLayer::new(limiter, &route, |_: &_| Subject::unknown()).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    let limiter = Limiter::builder().route(&Route::login()).build().unwrap();
    let error = RateLimitLayer::new(limiter, &Route::otp(), |_: &_| Subject::unknown()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownRule);
}
