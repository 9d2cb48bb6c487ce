//! The cookie, as a browser gets it.

use chrono::Utc;
use stockade_posture::session::cookie;
use stockade_session::Cookies;

use crate::support::told;

const TOKEN: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAh";

fn judged(set_cookie: &str) -> String {
    told(&[cookie(set_cookie, Utc::now())]).concat()
}

#[test]
fn a_protected_cookie_passes() {
    let pass = "session.policy session cookie pass";
    assert_eq!(judged(&Cookies::host().session(&TOKEN.parse().unwrap())), pass);
    assert_eq!(judged(&format!("__Host-x={TOKEN};path=/;SECURE;httponly; samesite=strict")), pass);
}

#[test]
fn a_weakened_cookie_fails() {
    let fail = |reason: &str| format!("session.policy session cookie fail: {reason}");
    let sound = Cookies::host().session(&TOKEN.parse().unwrap()).to_string();
    for missing in ["Secure", "HttpOnly"] {
        assert_eq!(judged(&sound.replace(&format!("; {missing}"), "")), fail(&format!("it goes without {missing}")));
    }
    assert_eq!(judged(&sound.replace("__Host-", "")), fail("it goes without __Host-"));
    assert_eq!(judged(&sound.replace("Lax", "None")), fail("it goes without SameSite"));
    assert_eq!(judged(&format!("{sound}; SameSite=None")), fail("it goes without SameSite"));
    assert_eq!(judged(&sound.replace("Path=/", "Path=/app")), fail("it goes without Path=/"));
    assert_eq!(judged(&format!("{sound}; Domain=acme.test")), fail("it has a Domain, and other hosts get it"));
    let insecure = Cookies::dangerously_insecure_localhost().session(&TOKEN.parse().unwrap());
    assert_eq!(judged(&insecure), fail("it goes without __Host-, Secure"));
    assert!(!judged("__Host-x=secret; HttpOnly").contains("secret"));
}

#[test]
fn what_is_no_cookie_is_unknown() {
    let unknown = "session.policy session cookie unknown: it is no Set-Cookie that a browser would keep";
    for text in ["", ";", "Secure; HttpOnly", "=x; Secure", &format!("a={}", "x".repeat(5_000))] {
        assert_eq!(judged(text), unknown);
    }
}
