//! The cookies that a response is to set.

use std::sync::{Mutex, PoisonError};

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, SET_COOKIE},
};

use crate::error::{Error, Result};

/// At most one of each; the last word counts.
#[derive(Default)]
pub(super) struct Outgoing(Mutex<[Option<HeaderValue>; 4]>);

#[derive(Clone, Copy)]
pub(super) enum Slot {
    Session,
    Pending,
    Impersonation,
    Device,
}

impl Outgoing {
    pub(super) fn set(&self, slot: Slot, cookie: &str) -> Result<()> {
        let mut value = HeaderValue::try_from(cookie).map_err(|_| Error::configuration("a cookie is no header"))?;
        value.set_sensitive(true);
        let [session, pending, impersonation, device] = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *match slot {
            Slot::Session => session,
            Slot::Pending => pending,
            Slot::Impersonation => impersonation,
            Slot::Device => device,
        } = Some(value);
        Ok(())
    }

    /// Writes the cookies, and that nobody stores a response with cookies.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let cookies = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for cookie in cookies.into_iter().flatten() {
            headers.append(SET_COOKIE, cookie);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}
