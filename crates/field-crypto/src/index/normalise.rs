//! One spelling for each value.

use std::borrow::Cow;
use std::marker::PhantomData;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Makes different spellings of a value equal.
pub trait Normaliser: 'static {
    /// The name, part of the key of every index that uses it. Change it when the result for any value changes.
    fn name() -> Cow<'static, str>;

    /// The one spelling. An empty result means that the value cannot be indexed.
    fn normalise(value: &str) -> Zeroizing<String>;
}

/// Keeps the ASCII digits: for social security numbers, tax identifiers and account numbers.
#[derive(Clone, Copy, Debug)]
pub enum DigitsOnly {}

/// Removes white space from both ends and makes letters lower case by Unicode's rules: for e-mail addresses and names.
#[derive(Clone, Copy, Debug)]
pub enum LowerTrim {}

/// Unicode normalisation form KC (UAX #15) before and after `N`: for names and addresses, where `ﬁ` is `fi`, a full-width
/// letter is the letter, and an accent is the same typed as one character or two.
///
/// The form of a character that a later version of Unicode adds may change with the library: index such values again.
#[derive(Clone, Copy, Debug)]
pub struct Nfkc<N = LowerTrim>(PhantomData<fn() -> N>);

/// The last `LENGTH` characters of what `N` makes of the value, or all of them if there are fewer: for "the last four
/// digits". Of so few characters nearly nothing is hidden: make the index [`Approx`](crate::Approx).
#[derive(Clone, Copy, Debug)]
pub struct LastN<const LENGTH: usize, N = DigitsOnly>(PhantomData<fn() -> N>);

impl Normaliser for DigitsOnly {
    fn name() -> Cow<'static, str> {
        "digits-only".into()
    }

    fn normalise(value: &str) -> Zeroizing<String> {
        // Of full capacity from the start, as growing would leave a copy behind.
        let mut digits = Zeroizing::new(String::with_capacity(value.len()));
        digits.extend(value.bytes().filter(u8::is_ascii_digit).map(char::from));
        digits
    }
}

impl Normaliser for LowerTrim {
    fn name() -> Cow<'static, str> {
        "lower-trim".into()
    }

    fn normalise(value: &str) -> Zeroizing<String> {
        collect(|| value.trim().chars().flat_map(char::to_lowercase))
    }
}

impl<N: Normaliser> Normaliser for Nfkc<N> {
    fn name() -> Cow<'static, str> {
        format!("nfkc({})", N::name()).into()
    }

    fn normalise(value: &str) -> Zeroizing<String> {
        // Again at the end, because the lower case of a composed letter need not be composed.
        let inner = N::normalise(&collect(|| value.nfkc()));
        collect(|| inner.nfkc())
    }
}

impl<const LENGTH: usize, N: Normaliser> Normaliser for LastN<LENGTH, N> {
    fn name() -> Cow<'static, str> {
        format!("last-{LENGTH}({})", N::name()).into()
    }

    fn normalise(value: &str) -> Zeroizing<String> {
        let inner = N::normalise(value);
        let before = inner.chars().count().saturating_sub(LENGTH);
        collect(|| inner.chars().skip(before))
    }
}

/// The characters as a text of exact capacity, for which they are gone through twice: growing would leave a copy behind.
fn collect<I: Iterator<Item = char>>(chars: impl Fn() -> I) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(chars().map(char::len_utf8).sum()));
    text.extend(chars());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{DigitsOnly, LastN, LowerTrim, Nfkc, Normaliser};

    #[test]
    fn spellings_become_equal() {
        assert_eq!(*DigitsOnly::normalise(" 078-05-1120 "), "078051120");
        assert_eq!(*DigitsOnly::normalise("n/a"), "");
        assert_eq!(*LowerTrim::normalise("\tAda@Example.COM \n"), "ada@example.com");
        assert_eq!(*LowerTrim::normalise("\u{130}stanbul"), "i\u{307}stanbul");
        assert_eq!(*LastN::<4>::normalise("078-05-1120"), "1120");
        assert_eq!(*LastN::<4>::normalise("1120"), "1120");
        assert_eq!(*LastN::<4>::normalise("12"), "12");
        assert_eq!(*LastN::<2, LowerTrim>::normalise("ABÉ "), "bé");
        assert_eq!(*Nfkc::<LowerTrim>::normalise("\u{fb01}nanz \u{ff21}G"), "finanz ag");
        assert_eq!(*Nfkc::<LowerTrim>::normalise("Jose\u{301}"), "josé");
        assert_eq!(*Nfkc::<DigitsOnly>::normalise("\u{ff11}\u{2462}-\u{00b2}"), "132");
    }

    #[test]
    fn names_tell_normalisers_apart() {
        assert_eq!(LastN::<4>::name(), "last-4(digits-only)");
        assert_eq!(LastN::<4, Nfkc>::name(), "last-4(nfkc(lower-trim))");
        assert_eq!(Nfkc::<LastN<4>>::name(), "nfkc(last-4(digits-only))");
    }

    fn is_idempotent<N: Normaliser>(value: &str) {
        let once = N::normalise(value);
        assert_eq!(*N::normalise(&once), *once, "{value:?}");
        assert!(once.capacity() <= value.len().max(once.len()), "{value:?} has grown");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn normalising_twice_changes_nothing(value in "\\PC{0,24}|[\u{300}-\u{36f}A-Za-z\u{130}\u{1e9e}\u{fb00}-\u{fb06} ]{0,12}") {
            is_idempotent::<DigitsOnly>(&value);
            is_idempotent::<LowerTrim>(&value);
            is_idempotent::<Nfkc<LowerTrim>>(&value);
            is_idempotent::<LastN<4>>(&value);
        }
    }
}
