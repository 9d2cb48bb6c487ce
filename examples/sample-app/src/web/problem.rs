//! What a person sees when a request does not succeed.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::html;
use stockade::{bridge::request::Refused as NotAnswered, session::tower::Refusal};
use uuid::Uuid;

use super::layout::door;
use crate::desk::Refused;

/// Why a handler did not answer with its page.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Nobody is signed in, or the session has ended.
    SignedOut,
    /// The tenant demands a second factor that the account does not have.
    MustEnrol,
    /// The person should prove again who they are, and comes from this page.
    Unproven(&'static str),
    /// The policy says no; the sentence says why.
    Refused(String),
    /// What the person may do was changed while the request was on its way.
    Overtaken,
    /// There is no such thing, or not in this tenant: the two look alike on purpose.
    NotFound,
    /// The form was not one of ours.
    Malformed,
    /// Another site sent the request, or nothing proves that none did.
    CrossSite,
    /// Too many attempts.
    TooMany {
        /// Seconds until another attempt can succeed.
        retry_after: u64,
    },
    /// The application or its database failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        error.into().downcast().map_or_else(Self::Failed, Self::not_answered)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused.to_string())
    }
}

impl Problem {
    /// What a refusal of the request layer is for a person.
    fn not_answered(refused: NotAnswered) -> Self {
        match refused {
            NotAnswered::Session(refusal) => Self::of(refusal),
            NotAnswered::Denied(denied) => Self::Refused(denied.explanation().to_owned()),
            NotAnswered::NoMember => Self::Refused("You are suspended, or no longer a member here.".to_owned()),
            NotAnswered::NotFound => Self::NotFound,
            NotAnswered::Overtaken => Self::Overtaken,
            other => Self::Failed(other.into()),
        }
    }

    /// What a refusal of the session layer is for a person.
    pub(crate) fn of(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SignedOut => Self::SignedOut,
            Refusal::MustEnrol => Self::MustEnrol,
            Refusal::CrossSite => Self::CrossSite,
            Refusal::SecondFactorMissing => Self::Refused("Sign in with a second factor to do this.".to_owned()),
            Refusal::Impersonating => Self::Refused("You look as somebody else, and can change nothing.".to_owned()),
            Refusal::ImpersonationOver => {
                Self::Refused("Your look as somebody else is over. Nothing was changed.".to_owned())
            }
            other => Self::Failed(other.into()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, text) = match self {
            Self::SignedOut => return Redirect::to("/sign-in").into_response(),
            Self::MustEnrol => return Redirect::to("/enrol").into_response(),
            Self::Unproven(from) => return Redirect::to(&format!("/account/proof?for={from}")).into_response(),
            Self::Refused(why) => return (StatusCode::FORBIDDEN, refusal(&why)).into_response(),
            Self::Overtaken => {
                let text = "What you may do was changed at this moment. Nothing was saved: try once more.".to_owned();
                (StatusCode::CONFLICT, "Changed meanwhile", text)
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.".to_owned()),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "Not understood",
                "What was sent could not be read. Go back and try again.".to_owned(),
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "Not from here",
                "The form was not sent by a page of this site. Nothing was changed.".to_owned(),
            ),
            Self::TooMany { retry_after } => {
                let text = format!("Too many attempts. Try again in {}.", wait(retry_after));
                let page = notice("Slow down", &text);
                return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", retry_after.to_string())], page)
                    .into_response();
            }
            Self::Failed(error) => {
                // The page names the failure without describing it; the description is for the operator's log.
                let reference = Uuid::now_v7();
                log(reference, &error);
                let text = format!("Something failed on our side. Nothing was saved. Reference: {reference}");
                (StatusCode::INTERNAL_SERVER_ERROR, "Something failed", text)
            }
        };
        (status, notice(title, &text)).into_response()
    }
}

fn notice(title: &str, text: &str) -> maud::Markup {
    door(
        title,
        &html! {
            div.card {
                h1 { (title) }
                p { (text) }
                p { a href="/" { "Back to the desk" } }
            }
        },
    )
}

/// Whoever may open nothing at all has a way out of this page too.
fn refusal(why: &str) -> maud::Markup {
    door(
        "Not permitted",
        &html! {
            div.card {
                h1 { "Not permitted" }
                p.reason { (why) }
                p { a href="/" { "Back to the desk" } }
                p { a href="/account/sessions" { "Your account" } }
            }
            form method="post" action="/sign-out" { button.quiet { "Sign out" } }
        },
    )
}

/// A number of seconds for a person.
pub(crate) fn wait(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=119 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

#[expect(clippy::print_stderr, reason = "the operator's log of this example is standard error")]
fn log(reference: Uuid, error: &anyhow::Error) {
    eprintln!("sample-app: request failed, reference {reference}: {error:#}");
}
