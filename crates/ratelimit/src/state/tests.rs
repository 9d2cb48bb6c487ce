use std::num::NonZeroU32;
use std::time::Duration;

use crate::lockout::Lockout;
use crate::rule::Rule;
use crate::state::Terms;

/// What the documentation of the algorithms says of their memory: eight bytes of it are the tag, and a fifth is empty.
#[test]
fn a_key_takes_the_words_that_it_needs() {
    let limit = |limit| NonZeroU32::new(limit).expect("a limit");
    let hour = Duration::from_secs(3600);
    for (rule, words) in [
        (Rule::exact("exact", limit(12), hour), 7),
        (Rule::exact("exact", limit(13), hour), 8),
        (Rule::window("window", limit(65_535), hour), 5),
        (Rule::window("window", limit(65_536), hour), 9),
        (Rule::gcra("bucket", limit(100), hour), 1),
        (Rule::lockout("lockout", Lockout::nist()), 4),
    ] {
        assert_eq!(Terms::of(&rule, Duration::ZERO).words(), words, "{rule:?}");
    }
}
