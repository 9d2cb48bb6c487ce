//! Markdown, and what hostile text can do to it.

use proptest::prelude::*;
use stockade_posture::render;

use crate::evidence::{Evidence, filled_with, hostile};

/// The text with everything removed that Markdown takes literally: entities, escaped characters, and code spans.
fn live(markdown: &str) -> String {
    let mut live = String::new();
    let mut rest = markdown.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '&' => rest.by_ref().take_while(|c| *c != ';').for_each(drop),
            '`' => rest.by_ref().take_while(|c| *c != '`').for_each(drop),
            c => live.push(c),
        }
    }
    live
}

fn count(markdown: &str, c: char) -> usize {
    live(markdown).chars().filter(|found| *found == c).count()
}

proptest! {
    /// Hostile text leaves as many lines, cells and marks as harmless text, and nothing that links, embeds or mentions.
    #[test]
    fn hostile_text_stays_text(text in hostile()) {
        let harmless = render::markdown(&filled_with("x"));
        let markdown = render::markdown(&filled_with(&text));
        prop_assert_eq!(markdown.lines().count(), harmless.lines().count(), "{}", markdown);
        for c in ['|', '#', '*', '`', '['] {
            prop_assert_eq!(count(&markdown, c), count(&harmless, c), "{} in {}", c, markdown);
        }
        let live = live(&markdown);
        for mark in ["<", ">", "](", "://", "www.", "@", "~~", "_x", "$"] {
            prop_assert!(!live.contains(mark), "{} in {}", mark, live);
        }
        // A bar at the wrong place would also be seen by renderers that do not know escapes in tables.
        let cells = |text: &str| text.lines().map(|line| line.matches('|').count()).collect::<Vec<_>>();
        prop_assert_eq!(cells(&markdown), cells(&harmless));
    }
}

#[test]
fn the_score_and_the_evidence_are_there() {
    let markdown = render::markdown(&filled_with("freight.load_note"));
    for part in [
        "| Score | 6 of 100 |",
        "| Measured | 3 of 28 controls |",
        "| CC6.1 | Protected data is behind logical access | `rls.enabled` in place; `rls.forced` in progress;",
        "- Not applicable until 2026-04-03: xfreight.load\\_note (approved by xfreight.load\\_note)",
        "- Attested by freight.load\\_note on 2026-03-04, valid until 2026-04-03",
        "| `freight.load_note` | fail: freight.load\\_note |  | 2026-03-04 09:00:00 UTC by freight.load\\_note |",
        "This is not an audit opinion.",
    ] {
        assert!(markdown.contains(part), "{part} in {markdown}");
    }
}

#[test]
fn nothing_measured_and_nothing_to_fix_are_said() {
    assert!(render::markdown(&Evidence::default().assess()).contains("| Score | none: nothing was measured |"));
    assert!(
        render::markdown(&Evidence::complete().assess()).contains("Nothing: every control that applies is in place.")
    );
}
