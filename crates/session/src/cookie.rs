//! The cookies, built and read in one place.

use zeroize::Zeroizing;

use crate::{
    device::{DEVICE_DAYS, DeviceToken},
    token::{ImpersonationToken, PendingToken, SessionToken},
};

/// How the tokens travel.
///
/// The values contain tokens: set them as `Set-Cookie` headers, together with `Cache-Control: no-store`, and do not log them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    InsecureLocalhost,
}

impl Cookies {
    /// Cookies with the prefix `__Host-`: `Secure`, `HttpOnly`, `SameSite=Lax`, for the whole host and no other (RFC 6265bis,
    /// ASVS 5.0, 3.3).
    #[must_use]
    pub const fn host() -> Self {
        Self(Kind::Host)
    }

    /// Cookies without the prefix and without `Secure`, for trying an application on `http://127.0.0.1`. Who listens on the network
    /// can take such a session.
    #[must_use]
    pub const fn dangerously_insecure_localhost() -> Self {
        Self(Kind::InsecureLocalhost)
    }

    /// Sets the session. The cookie ends with the browser's session; the limits are the server's.
    #[must_use]
    pub fn session(self, token: &SessionToken) -> Zeroizing<String> {
        self.build(self.session_name(), &token.expose(), "")
    }

    /// Sets the pending sign-in. The cookie ends with the browser's session; the limit is the server's.
    #[must_use]
    pub fn pending(self, token: &PendingToken) -> Zeroizing<String> {
        self.build(self.pending_name(), &token.expose(), "")
    }

    /// Sets the impersonation, beside the session. The cookie ends with the browser's session; the limit is the server's.
    #[must_use]
    pub fn impersonation(self, token: &ImpersonationToken) -> Zeroizing<String> {
        self.build(self.impersonation_name(), &token.expose(), "")
    }

    /// Removes the session cookie. This alone ends nothing: [`revoke`](crate::Auth::revoke) the session.
    #[must_use]
    pub fn clear_session(self) -> Zeroizing<String> {
        self.build(self.session_name(), "", "; Max-Age=0")
    }

    /// Removes the cookie of the pending sign-in.
    #[must_use]
    pub fn clear_pending(self) -> Zeroizing<String> {
        self.build(self.pending_name(), "", "; Max-Age=0")
    }

    /// Removes the cookie of the impersonation.
    #[must_use]
    pub fn clear_impersonation(self) -> Zeroizing<String> {
        self.build(self.impersonation_name(), "", "; Max-Age=0")
    }

    /// The session in the request's `Cookie` headers. Nothing if there is none, if it is malformed, or if there is more than one: a
    /// second one may be planted.
    #[must_use]
    pub fn read_session<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Option<SessionToken> {
        only(headers, self.session_name())?.parse().ok()
    }

    /// The pending sign-in in the request's `Cookie` headers, under the same rules.
    #[must_use]
    pub fn read_pending<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Option<PendingToken> {
        only(headers, self.pending_name())?.parse().ok()
    }

    /// Marks the browser as one that the user signed in on, for as long as the token counts.
    #[must_use]
    pub fn device(self, token: &DeviceToken) -> Zeroizing<String> {
        self.build(self.device_name(), &token.expose(), &format!("; Max-Age={}", DEVICE_DAYS * 86_400))
    }

    /// The device in the request's `Cookie` headers, under the same rules.
    #[must_use]
    pub fn read_device<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Option<DeviceToken> {
        only(headers, self.device_name())?.parse().ok()
    }

    const fn device_name(self) -> &'static str {
        match self.0 {
            Kind::Host => "__Host-device",
            Kind::InsecureLocalhost => "insecure-device",
        }
    }

    /// The impersonation in the request's `Cookie` headers, under the same rules.
    #[must_use]
    pub fn read_impersonation<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Option<ImpersonationToken> {
        only(headers, self.impersonation_name())?.parse().ok()
    }

    const fn session_name(self) -> &'static str {
        match self.0 {
            Kind::Host => "__Host-session",
            Kind::InsecureLocalhost => "insecure-session",
        }
    }

    const fn pending_name(self) -> &'static str {
        match self.0 {
            Kind::Host => "__Host-signin",
            Kind::InsecureLocalhost => "insecure-signin",
        }
    }

    const fn impersonation_name(self) -> &'static str {
        match self.0 {
            Kind::Host => "__Host-impersonation",
            Kind::InsecureLocalhost => "insecure-impersonation",
        }
    }

    fn build(self, name: &str, value: &str, end: &str) -> Zeroizing<String> {
        let secure = match self.0 {
            Kind::Host => "; Secure",
            Kind::InsecureLocalhost => "",
        };
        Zeroizing::new(format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{end}"))
    }
}

/// The value of the one cookie with this name (RFC 6265, 5.4).
fn only<'a>(headers: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let pairs = headers.into_iter().flat_map(|header| header.split(';'));
    let mut values = pairs
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim());
    let value = values.next()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh";

    #[test]
    fn host_cookies_have_every_attribute() {
        let cookies = Cookies::host();
        assert_eq!(
            *cookies.session(&TEXT.parse().unwrap()),
            format!("__Host-session={TEXT}; Path=/; Secure; HttpOnly; SameSite=Lax")
        );
        assert_eq!(
            *cookies.pending(&TEXT.parse().unwrap()),
            format!("__Host-signin={TEXT}; Path=/; Secure; HttpOnly; SameSite=Lax")
        );
        assert_eq!(*cookies.clear_session(), "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    }

    #[test]
    fn device_cookie_stays() {
        let text = "A".repeat(76);
        let set = Cookies::host().device(&text.parse().unwrap());
        assert_eq!(*set, format!("__Host-device={text}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=15552000"));
        let read = Cookies::host().read_device([format!("__Host-device={text}").as_str()]).unwrap();
        assert_eq!(*read.expose(), text);
    }

    #[test]
    fn insecure_cookies_claim_nothing() {
        let cookies = Cookies::dangerously_insecure_localhost();
        let set = cookies.session(&TEXT.parse().unwrap());
        assert_eq!(*set, format!("insecure-session={TEXT}; Path=/; HttpOnly; SameSite=Lax"));
        assert!(Cookies::host().read_session([set.as_str()]).is_none());
    }

    #[test]
    fn second_cookie_of_the_name_voids_both() {
        let one = format!("a=b; __Host-session={TEXT}");
        assert!(Cookies::host().read_session([one.as_str()]).is_some());
        let two = format!("{one}; __Host-session=x");
        assert!(Cookies::host().read_session([two.as_str()]).is_none());
        assert!(Cookies::host().read_session([one.as_str(), one.as_str()]).is_none());
        assert!(Cookies::host().read_pending([one.as_str()]).is_none());
    }

    proptest! {
        #[test]
        fn reading_never_panics(headers in proptest::collection::vec("\\PC*|(__Host-session=[A-Za-z0-9]{0,50};? ?){0,3}", 0..3)) {
            let _ = Cookies::host().read_session(headers.iter().map(String::as_str));
        }
    }
}
