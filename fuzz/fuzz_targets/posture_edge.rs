//! `Strict-Transport-Security`: never panics, and passes only what says a year or longer, once.
#![no_main]

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header::STRICT_TRANSPORT_SECURITY};
use libfuzzer_sys::fuzz_target;
use stockade_posture::{Outcome, edge};

fuzz_target!(|header: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(header) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(STRICT_TRANSPORT_SECURITY, value);
    let seen = edge::hsts("app.example", &headers, DateTime::<Utc>::UNIX_EPOCH);
    if matches!(seen.outcome(), Outcome::Pass) {
        let text = std::str::from_utf8(header).expect("it was understood").to_ascii_lowercase();
        let ages = text.split(';').filter_map(|directive| directive.split_once('='));
        let ages: Vec<_> = ages.filter(|(name, _)| name.trim() == "max-age").map(|(_, age)| age).collect();
        let [age] = ages[..] else { panic!("one age: {text}") };
        assert!(age.chars().filter(char::is_ascii_digit).count() >= 8, "less than a year");
    }
    let _ = edge::tls("app.example", &String::from_utf8_lossy(header), DateTime::<Utc>::UNIX_EPOCH);
});
