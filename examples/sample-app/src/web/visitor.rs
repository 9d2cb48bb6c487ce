//! Who is asking, as handlers take it. Only a guarded route has anybody.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{Extensions, request::Parts};

use super::problem::Problem;
use crate::{
    app::App,
    authority::{Viewer, Visitor},
    desk::Look,
};

/// A person who works in their own name.
pub(crate) type SignedIn = Visitor;

/// The look in which the guard has asked, for the handler that goes on in it. One that opens its own, or none, takes a [`Viewer`] or a
/// [`Visitor`], and this one is closed before: where there is one connection, the next transaction needs it.
#[derive(Clone)]
struct Open(Arc<Mutex<Option<Look>>>);

impl Open {
    fn take(extensions: &Extensions) -> Option<Look> {
        extensions.get::<Self>()?.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Hands the guard's findings on.
pub(super) fn admit(parts: &mut Parts, viewer: Option<Viewer>, look: Look) {
    parts.extensions.insert(Open(Arc::new(Mutex::new(Some(look)))));
    if let Some(viewer) = viewer {
        parts.extensions.insert(viewer);
    }
}

impl FromRequestParts<Arc<App>> for Look {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        Open::take(&parts.extensions).ok_or_else(unguarded)
    }
}

impl FromRequestParts<Arc<App>> for Viewer {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Response> {
        if let Some(look) = Open::take(&parts.extensions) {
            look.close().await.map_err(|failed| Problem::from(failed).into_response())?;
        }
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let viewer = Viewer::from_request_parts(parts, app).await?;
        viewer.own().map_err(|refused| Problem::from(refused).into_response())
    }
}

fn unguarded() -> Response {
    Problem::Failed(anyhow::anyhow!("a handler without a guard asked who is there")).into_response()
}
