//! The Cookie header: never panics, and what is read is what the cookie of the same token says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_session::Cookies;

fuzz_target!(|header: &str| {
    let cookies = Cookies::host();
    if let Some(token) = cookies.read_session([header]) {
        let set = cookies.session(&token);
        let pair = set.split(';').next().unwrap_or_default();
        assert!(header.contains(pair.split('=').nth(1).unwrap_or_default()), "a token that is not in the header");
        assert!(cookies.read_session([pair]).is_some());
        assert!(cookies.read_session([header, pair]).is_none(), "a second cookie of the name voids both");
    }
    let _ = (cookies.read_pending([header]), cookies.read_impersonation([header]), cookies.read_device([header]));
});
