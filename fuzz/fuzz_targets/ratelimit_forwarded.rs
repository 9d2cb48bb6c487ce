//! The client's address: no header changes it unless the peer is trusted, nor does anything left of what the trusted
//! peer wrote.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use stockade_ratelimit::tower::TrustedProxies;

fuzz_target!(|data: &[u8]| {
    let outside = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    for (name, element, proxies) in [
        ("x-forwarded-for", "203.0.113.9", TrustedProxies::x_forwarded_for(["10.0.0.0/8"])),
        ("forwarded", "for=203.0.113.9", TrustedProxies::forwarded(["10.0.0.0/8"])),
    ] {
        let proxies = proxies.unwrap();
        let mut headers = HeaderMap::new();
        for line in data.split(|byte| *byte == b'\n') {
            if let Ok(value) = HeaderValue::from_bytes(line) {
                headers.append(name, value);
            }
        }
        assert_eq!(proxies.client(outside, &headers), outside);
        let _ = proxies.client(proxy, &headers);

        let line = [data, b", ", element.as_bytes()].concat();
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            headers.append(name, value);
            assert_eq!(proxies.client(proxy, &headers), outside);
        }
    }
});
