//! What a request brought.

use std::borrow::Cow;

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use crate::{
    cookie::Cookies,
    device::DeviceToken,
    token::{ImpersonationToken, PendingToken, SessionToken},
    tower::cross_site::Credential,
};

/// The tokens of a request, of those that it may use.
#[derive(Default)]
pub(super) struct Brought {
    pub(super) bearer: Option<HeaderValue>,
    pub(super) session: Option<SessionToken>,
    pub(super) pending: Option<PendingToken>,
    pub(super) impersonation: Option<ImpersonationToken>,
    device: Option<DeviceToken>,
}

impl Brought {
    pub(super) fn read(cookies: Cookies, headers: &HeaderMap) -> Self {
        if let Some(bearer) = headers.get_all(AUTHORIZATION).iter().find(|value| is_bearer(value)) {
            return Self { bearer: Some(bearer.clone()), ..Self::default() };
        }
        // A cookie of somebody else's may be no UTF-8, and must not hide ours.
        let lines: Vec<Cow<'_, str>> =
            headers.get_all(COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        let lines = || lines.iter().map(AsRef::as_ref);
        Self {
            bearer: None,
            session: cookies.read_session(lines()),
            pending: cookies.read_pending(lines()),
            impersonation: cookies.read_impersonation(lines()),
            device: cookies.read_device(lines()),
        }
    }

    pub(super) fn device(&self) -> Option<DeviceToken> {
        self.device.as_ref().map(DeviceToken::duplicate)
    }

    /// An impersonation is nothing without its session, and a device opens nothing.
    pub(super) fn credential(&self) -> Credential {
        match (&self.bearer, &self.session, &self.pending) {
            (Some(_), ..) => Credential::Bearer,
            (None, None, None) => Credential::None,
            _ => Credential::Cookie,
        }
    }
}

fn is_bearer(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}
