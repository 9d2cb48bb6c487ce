//! The size of every export: it grows with the evidence, by a bounded number of bytes for each piece.

use stockade_posture::{Assessment, ControlId, Observation, Subject, render};

use crate::evidence::now;

type Export = (&'static str, fn(&Assessment) -> String, usize);

/// Each with how many bytes one observation of the longest texts may add.
const EXPORTS: [Export; 5] = [
    ("json", render::json, 20_000),
    ("markdown", render::markdown, 24_000),
    ("csv", render::csv, 12_000),
    ("oscal", render::oscal, 40_000),
    ("html", render::html_page, 24_000),
];

/// The longest texts, of characters that every format has to write as several.
fn assessment(subjects: usize, character: &str) -> Assessment {
    let long = character.repeat(10_000);
    let seen = (0..subjects).map(|n| {
        Observation::fail(ControlId::RLS_FORCED, Subject::new(format!("{n}{long}")), now(), &long)
            .remedy(&long)
            .by(&long)
            .fact("name", long.clone())
    });
    Assessment::builder(now()).observe(seen).build()
}

#[test]
fn no_text_makes_an_export_grow_without_bounds() {
    for character in ["<", "&", "\"", "|", "\\", "\u{1}", "=", "\u{10FFFF}", "www.", "\n"] {
        for (name, export, each) in EXPORTS {
            let (none, many) = (export(&assessment(0, character)).len(), export(&assessment(50, character)).len());
            assert!(none < 120_000, "{name}: {none} bytes without evidence");
            assert!(many - none.min(many) <= 50 * each, "{name} {character:?}: {} bytes each", (many - none) / 50);
        }
    }
}

/// The page shows no more than a hundred of a control's subjects, so it does not grow for ever.
#[test]
fn the_page_is_bounded() {
    let (hundred, thousand) = (render::html_page(&assessment(101, "<")), render::html_page(&assessment(1_001, "<")));
    assert!(thousand.len() < hundred.len() + 100);
}
