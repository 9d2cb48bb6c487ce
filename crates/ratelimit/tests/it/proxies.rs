//! Which address a request is from, whatever it says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderMap;
use proptest::prelude::*;
use stockade_ratelimit::tower::TrustedProxies;
use stockade_ratelimit::{ErrorKind, Ipv6Prefix, Key};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, http::HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

fn xff(peer: &str, lines: &[&str]) -> IpAddr {
    let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8", "2001:db8:aa::/48"]).unwrap();
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    proxies.client(ip(peer), &headers("x-forwarded-for", &lines))
}

fn forwarded(peer: &str, lines: &[&str]) -> IpAddr {
    let proxies = TrustedProxies::forwarded(["10.0.0.0/8", "2001:db8:aa::/48"]).unwrap();
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    proxies.client(ip(peer), &headers("forwarded", &lines))
}

#[test]
fn a_client_that_is_no_proxy_is_itself_whatever_it_writes() {
    for line in ["1.1.1.1", "10.0.0.1", "10.0.0.1, 1.1.1.1", "", ",", "unknown"] {
        assert_eq!(xff("203.0.113.9", &[line]), ip("203.0.113.9"));
        assert_eq!(forwarded("203.0.113.9", &[&format!("for={line}")]), ip("203.0.113.9"));
    }
}

#[test]
fn the_last_address_that_is_no_proxy_is_the_client() {
    assert_eq!(xff("10.0.0.1", &["1.1.1.1, 203.0.113.9"]), ip("203.0.113.9"));
    assert_eq!(xff("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2 , 2001:db8:aa::7"]), ip("203.0.113.9"));
    assert_eq!(xff("::ffff:10.0.0.1", &["203.0.113.9"]), ip("203.0.113.9"), "a mapped peer is the proxy it maps");
    assert_eq!(xff("10.0.0.1", &["203.0.113.9, ::ffff:10.0.0.2"]), ip("203.0.113.9"));
    assert_eq!(xff("10.0.0.1", &[]), ip("10.0.0.1"), "without a header the proxy is all that is known");
    assert_eq!(xff("10.0.0.1", &["10.0.0.3"]), ip("10.0.0.3"), "a chain of nothing but proxies begins with one");
}

#[test]
fn several_lines_are_one_list() {
    assert_eq!(xff("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.0.0.2"]), ip("203.0.113.9"));
    assert_eq!(xff("10.0.0.1", &["203.0.113.9, 10.0.0.3", "10.0.0.2"]), ip("203.0.113.9"));
    assert_eq!(forwarded("10.0.0.1", &["for=1.1.1.1", "for=203.0.113.9, for=10.0.0.2"]), ip("203.0.113.9"));
}

#[test]
fn ports_and_brackets_are_read_past() {
    let forms = [
        ("203.0.113.9:8080", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:443", "2001:db8::9"),
    ];
    for (written, meant) in forms {
        assert_eq!(xff("10.0.0.1", &[written]), ip(meant));
        assert_eq!(forwarded("10.0.0.1", &[&format!("proto=https;For=\"{written}\" ;by=_x")]), ip(meant));
    }
}

#[test]
fn what_is_no_address_ends_the_search_at_the_last_known_proxy() {
    for garbage in ["unknown", "_hidden", "", "1.1.1", "[::1", "1.1.1.1 2.2.2.2", "\"1.1.1.1\"", "::1%eth0"] {
        let line = format!("203.0.113.9, {garbage}, 10.0.0.2");
        assert_eq!(xff("10.0.0.1", &[&line]), ip("10.0.0.2"), "{garbage}");
    }
    for garbage in ["for=unknown", "for=", "by=1.1.1.1", "for=1.1.1.1;for=2.2.2.2", "for=\"1.1.1.1", "1.1.1.1"] {
        assert_eq!(forwarded("10.0.0.1", &["for=203.0.113.9", garbage]), ip("10.0.0.1"), "{garbage}");
    }
}

/// What a client writes stands left of what the proxies append. An open quotation mark must not swallow it.
#[test]
fn an_open_quotation_mark_hides_nothing() {
    for begun in ["for=\"", "for=\"1.1.1.1, for=\"2.2.2.2", "\\\"", "for=\"\\", "\"\"\"", ",,,\"", "for=\"a;for=b"] {
        for appended in ["for=203.0.113.9", "for=\"203.0.113.9:80\""] {
            assert_eq!(forwarded("10.0.0.1", &[&format!("{begun}, {appended}")]), ip("203.0.113.9"), "{begun}");
        }
    }
}

/// The control: the list from its beginning, as many libraries read it, believes the client.
#[test]
fn reading_from_the_left_would_believe_the_client() {
    let line = "1.1.1.1, 203.0.113.9";
    let leftmost: IpAddr = line.split(',').find_map(|part| part.trim().parse().ok()).unwrap();
    assert_eq!(leftmost, ip("1.1.1.1"));
    assert_eq!(xff("10.0.0.1", &[line]), ip("203.0.113.9"));
}

#[test]
fn the_header_that_the_proxies_do_not_write_is_not_read() {
    let mut both = headers("x-forwarded-for", &[b"203.0.113.9"]);
    both.append("forwarded", http::HeaderValue::from_static("for=1.1.1.1"));
    let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap();
    assert_eq!(proxies.client(ip("10.0.0.1"), &both), ip("203.0.113.9"));
    assert_eq!(TrustedProxies::none().client(ip("10.0.0.1"), &both), ip("10.0.0.1"));
}

#[test]
fn a_network_that_is_none_is_refused() {
    for network in ["10.0.0.0/33", "everyone", "", "10.0.0.0/8 ", "::ffff:10.0.0.0/104"] {
        let error = TrustedProxies::forwarded([network]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    }
}

#[test]
fn an_ipv4_address_has_one_key_in_all_its_forms() {
    let plain = Key::ip(ip("192.0.2.33"));
    for form in ["::ffff:192.0.2.33", "64:ff9b::c000:221", "2002:c000:221:5::1", "2001:0:4136:e378:8000:63bf:3fff:fdde"]
    {
        for width in [Ipv6Prefix::P64, Ipv6Prefix::P56, Ipv6Prefix::P48] {
            assert_eq!(Key::network(ip(form), width), plain, "{form}");
        }
    }
    assert_ne!(Key::ip(ip("192.0.2.34")), plain);
}

#[test]
fn a_wider_network_holds_the_narrower_ones() {
    let key = |text: &str, width| Key::network(ip(text), width);
    let widths = [Ipv6Prefix::P64, Ipv6Prefix::P56, Ipv6Prefix::P48];
    let cases = [
        ("2001:db8:1:2::1", "2001:db8:1:2::ffff", [true, true, true]),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", [false, true, true]),
        ("2001:db8:1:2::1", "2001:db8:1:102::1", [false, false, true]),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", [false, false, false]),
    ];
    for (one, other, same) in cases {
        for (width, same) in widths.into_iter().zip(same) {
            assert_eq!(key(one, width) == key(other, width), same, "{one} {other} {width:?}");
        }
    }
    assert_ne!(key("2001:db8::", Ipv6Prefix::P56), key("2001:db8::", Ipv6Prefix::P48), "widths are kinds of their own");
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        (0_u32..256).prop_map(|low| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + low))),
    ]
}

/// Anything a header may hold, with a liking for what these two are made of.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any_ip().prop_map(|ip| ip.to_string().into_bytes()),
        any_ip().prop_map(|ip| format!("for=\"{ip}:1\"").into_bytes()),
        prop::sample::select(vec!["for=", ",", "\"", ";", "[", "]", ":", "\\", "unknown", " ", "="])
            .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(prop_oneof![32_u8..127, 128_u8..=255], 0..6),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_header_changes_the_key_unless_the_peer_is_trusted(
        peer in any_ip(),
        lines in prop::collection::vec(any_line(), 0..4),
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let mut both = headers("x-forwarded-for", &lines);
        both.extend(headers("forwarded", &lines));
        let networks = ["10.0.0.0/8"];
        let outside = !peer.to_canonical().to_string().starts_with("10.");
        for proxies in [TrustedProxies::x_forwarded_for(networks), TrustedProxies::forwarded(networks)] {
            let client = proxies.unwrap().client(peer, &both);
            if outside {
                prop_assert_eq!(client, peer.to_canonical());
            }
        }
    }

    /// What the client writes before a trusted proxy appends its address changes nothing either.
    #[test]
    fn nothing_left_of_the_client_is_read(
        client in any_ip().prop_filter("outside", |ip| !ip.to_canonical().to_string().starts_with("10.")),
        before in prop::collection::vec(any_line(), 0..3),
        same_line in any::<bool>(),
    ) {
        let client = client.to_canonical();
        let quoted = match client { IpAddr::V4(v4) => format!("for={v4}"), IpAddr::V6(v6) => format!("for=\"[{v6}]\"") };
        for (name, element, proxies) in [
            ("x-forwarded-for", client.to_string(), TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap()),
            ("forwarded", quoted, TrustedProxies::forwarded(["10.0.0.0/8"]).unwrap()),
        ] {
            let mut lines = before.clone();
            match lines.last_mut() {
                Some(last) if same_line => last.extend_from_slice(format!(", {element}").as_bytes()),
                _ => lines.push(element.clone().into_bytes()),
            }
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(proxies.client(ip("10.0.0.1"), &headers(name, &lines)), client);
        }
    }
}
