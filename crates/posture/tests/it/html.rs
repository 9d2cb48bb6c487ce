//! The page, and what hostile text can do to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use stockade_posture::{ControlId, Observation, Subject, catalog, render};

use crate::evidence::{Evidence, filled_with, hostile, now};

/// Every tag of a page, whole: text between tags is dropped, attributes are kept.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|piece| piece.split_once('>').map_or(piece, |(tag, _)| tag)).collect()
}

proptest! {
    /// Hostile text leaves every tag and every attribute as harmless text does.
    #[test]
    fn hostile_text_stays_text(text in hostile()) {
        let (hostile, harmless) = (render::html_page(&filled_with(&text)), render::html_page(&filled_with("x")));
        prop_assert_eq!(tags(&hostile), tags(&harmless));
    }
}

#[test]
fn hostile_text_is_still_legible() {
    let html = render::html_page(&filled_with("<script>alert(1)</script>"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn nothing_is_loaded_or_run() {
    let html = render::html_page(&filled_with("x"));
    for tag in tags(&html) {
        let name = tag.split_whitespace().next().unwrap_or_default();
        assert!(
            !["script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"].contains(&name),
            "{tag}"
        );
        for attribute in ["src=", "srcset=", "style=", "xlink:", "http-equiv=\"refresh"] {
            assert!(!tag.contains(attribute), "{tag}");
        }
        assert!(!tag.split_whitespace().any(|word| word.starts_with("on") && word.contains('=')), "{tag}");
        assert!(!tag.contains("href=") || tag.contains("href=\"#posture-"), "{tag}");
    }
    assert!(
        !html.contains("url(") && !html.contains("@import") && !html.contains("http://") && !html.contains("https://")
    );
}

#[test]
fn the_policy_allows_the_one_style_and_nothing_else() {
    let html = render::html_page(&filled_with("x"));
    let (_, rest) = html.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let hash = format!("sha256-{}", STANDARD.encode(Sha256::digest(style)));
    assert_eq!(render::html::style_hash(), hash);
    let policy = format!("content=\"default-src 'none'; style-src '{hash}'; base-uri 'none'; form-action 'none'\"");
    assert!(html.contains(&policy));
    assert_eq!(html.matches("<style").count(), 1);
}

#[test]
fn the_fragment_is_the_page_without_its_frame() {
    let assessment = filled_with("x");
    let fragment = render::html::fragment(&assessment);
    assert!(fragment.starts_with("<div class=\"posture\">") && fragment.ends_with("</div>"));
    assert!(render::html_page(&assessment).contains(&fragment));
    assert!(!fragment.contains("<h1") && !fragment.contains("<style"));
}

/// No rule of the style may reach into the page of the host.
#[test]
fn the_style_stays_within_its_class() {
    for line in render::html::STYLE.lines().map(str::trim).filter(|line| line.contains('{') && !line.starts_with('@')) {
        let (selectors, _) = line.split_once('{').unwrap();
        for selector in selectors.split(',') {
            let selector = selector.trim();
            let rest = selector.strip_prefix(".posture").unwrap_or("?");
            assert!(rest.starts_with([' ', '-']) || rest.is_empty(), "{selector}");
        }
    }
}

#[test]
fn every_control_has_its_place_and_every_link_an_aim() {
    let html = render::html_page(&filled_with("x"));
    for control in catalog() {
        assert_eq!(html.matches(&format!("id=\"posture-{}\"", control.id)).count(), 1, "{}", control.id);
    }
    for piece in html.split("href=\"#").skip(1) {
        let (aim, _) = piece.split_once('"').unwrap();
        assert!(html.contains(&format!("id=\"{aim}\"")), "{aim}");
    }
}

/// Colour is never the only sign: each status has a word beside its mark, and each mark is hidden from screen readers.
#[test]
fn every_mark_has_a_word() {
    let html = render::html_page(&filled_with("x"));
    assert_eq!(html.matches("<svg class=\"posture-mark").count(), html.matches("focusable=\"false\"").count());
    for word in ["In place", "In progress", "Not yet", "Not applicable"] {
        assert!(html.contains(word));
    }
}

#[test]
fn failures_are_shown_however_many_subjects_pass() {
    let mut seen: Vec<Observation> = (0..400)
        .map(|n| Observation::pass(ControlId::RLS_FORCED, Subject::new(format!("a.table_{n:03}")), now()))
        .collect();
    seen.push(Observation::fail(ControlId::RLS_FORCED, Subject::new("z.last"), now(), "not forced"));
    let html = render::html_page(&Evidence { observations: seen, ..Evidence::default() }.assess());
    assert!(html.contains("<code>z.last</code>"));
    assert!(html.contains("301 more in the JSON export."));
}

#[test]
fn the_ring_says_what_the_score_is() {
    assert!(render::html_page(&Evidence::default().assess()).contains("aria-label=\"No score\""));
    let complete = render::html_page(&Evidence::complete().assess());
    assert!(complete.contains("aria-label=\"Score 100 of 100\"") && !complete.contains("class=\"posture-locked\""));
    let mut capped = Evidence::complete();
    capped.observations.retain(|seen| seen.control() != ControlId::RLS_FORCED);
    let capped = render::html_page(&capped.assess());
    assert!(capped.contains("79 of 100, capped by rls.forced") && capped.contains("class=\"posture-locked\""));
}
