//! Text from outside, made fit to print on one line.

/// The longest text kept, in characters.
pub(crate) const MAX_CHARS: usize = 400;

/// Replaces what could break a line or reorder it on screen, and cuts the text at [`MAX_CHARS`].
///
/// Blanks become a space. Control characters, and the format characters with which Unicode text can be made to read as
/// something else (UTS 39, "Trojan Source", CVE-2021-42574), become U+FFFD so that the attempt can be seen.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned: String = text.trim().chars().take(MAX_CHARS).map(printable).collect();
    if text.trim().chars().nth(MAX_CHARS).is_some() {
        cleaned.push('\u{2026}');
    }
    cleaned
}

fn printable(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' => {
            '\u{FFFD}'
        }
        c if c.is_control() => '\u{FFFD}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_on_its_line_and_reads_in_its_order() {
        assert_eq!(clean("  a\r\nb\tc  "), "a  b c");
        assert_eq!(clean("user\u{202E}nimda"), "user\u{FFFD}nimda");
        assert_eq!(clean("a\u{0}b\u{1b}[31m\u{7f}\u{85}"), "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}");
        assert_eq!(clean("Zürich 東京"), "Zürich 東京");
    }

    #[test]
    fn a_long_text_is_cut_by_characters() {
        assert_eq!(clean(&"é".repeat(MAX_CHARS)), "é".repeat(MAX_CHARS));
        assert_eq!(clean(&"é".repeat(MAX_CHARS + 1)).chars().count(), MAX_CHARS + 1);
        assert!(clean(&"é".repeat(MAX_CHARS + 1)).ends_with('…'));
    }
}
