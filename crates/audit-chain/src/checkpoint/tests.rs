use proptest::prelude::*;

use super::*;
use crate::ErrorKind;

const TEXT: &str = "example.com/origin\n923748\nnND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=\n";

fn read(text: &str) -> Result<Checkpoint, Error> {
    Checkpoint::read(&Note::new(text)?)
}

#[test]
fn the_example_of_the_specification_is_read() {
    let checkpoint = read(TEXT).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("example.com/origin", 923_748));
    assert_eq!(checkpoint.root().to_string(), "9cd0ff9eb8bf534c6e1d4ad84b2d07b4c79a976bf30fd57893f04eefd0be41e2");
    assert_eq!(checkpoint.to_note().unwrap().text(), TEXT);
    let theirs = tlog_tiles::Checkpoint::from_bytes(TEXT.as_bytes()).unwrap();
    assert_eq!(
        (theirs.origin(), theirs.size(), theirs.hash().0),
        ("example.com/origin", 923_748, *checkpoint.root().as_bytes())
    );
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    for (from, to) in [
        ("example.com/origin\n", "\n"),
        ("923748", ""),
        ("923748", "0923748"),
        ("923748", "+923748"),
        ("923748", "-1"),
        ("923748", " 923748"),
        ("923748", "18446744073709551616"),
        ("QeI=", "QeI"),
        ("QeI=", "QeJ="),
        ("nND/", ""),
        ("QeI=\n", "QeI=\n\n"),
        ("\nnND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=", ""),
    ] {
        assert!(TEXT.contains(from));
        let error = read(&TEXT.replace(from, to)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{from} {to}");
    }
    let root = read(TEXT).unwrap().root();
    for line in ["", "two\nlines", "a\u{7f}"] {
        assert!(Checkpoint::new(line, 0, root).is_err());
        assert!(read(TEXT).unwrap().extension(line).is_err());
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_and_nothing_else_means_the_same(
        origin in "[^\\p{Cc}]{1,20}", size: u64, root: [u8; 32], lines in prop::collection::vec("[^\\p{Cc}]{1,20}", 0..3),
    ) {
        let mut checkpoint = Checkpoint::new(origin, size, Digest::from(root)).unwrap();
        for line in lines {
            checkpoint = checkpoint.extension(line).unwrap();
        }
        let note = checkpoint.to_note().unwrap();
        prop_assert_eq!(Checkpoint::read(&note).unwrap(), checkpoint);
    }

    #[test]
    fn a_text_that_is_read_is_the_one_that_would_be_written(text in "[a+\n0-9A/=]{0,8}\n[0-9+ ]{0,4}\n[A-Za-z0-9+/]{42}[A-Za-z]=\n[a\n]{0,3}\n?") {
        if let Ok(checkpoint) = read(&text) {
            let note = checkpoint.to_note().unwrap();
            prop_assert_eq!(note.text(), &text);
        }
    }
}
