//! Amounts in cents, and how people write them.

use std::fmt;

use serde::Serialize;

/// An amount of US dollars in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Cents(pub i64);

/// A part of an amount, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Share(i32);

/// Why a text is not an amount, as a sentence for the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAmount;

impl Cents {
    /// The largest amount that a form accepts: ten million dollars.
    pub const MAX: Self = Self(1_000_000_000);

    /// Reads `1250`, `1,250.5`, `$1,250.50` or `-12.00`.
    ///
    /// # Errors
    /// When the text is no such number, has more than two decimals, or is beyond [`Cents::MAX`].
    pub fn parse(text: &str) -> Result<Self, NotAnAmount> {
        let text = text.trim();
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let text = text.strip_prefix('$').unwrap_or(text).replace(',', "");
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 9 || decimals.len() > 2 || !digits(whole) || !digits(decimals) {
            return Err(NotAnAmount);
        }
        let cents: i64 = format!("{whole}{decimals:0<2}").parse().map_err(|_| NotAnAmount)?;
        if cents > Self::MAX.0 {
            return Err(NotAnAmount);
        }
        Ok(Self(if negative { -cents } else { cents }))
    }
}

impl Share {
    /// Reads a percentage such as `12.5`, from 0 to 100 with at most two decimals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hundredths = Cents::parse(text.trim().trim_end_matches('%')).ok()?.0;
        i32::try_from(hundredths).ok().filter(|share| (0..=10_000).contains(share)).map(Self)
    }

    /// This part of an amount, rounded down.
    #[must_use]
    pub fn of(self, amount: Cents) -> Cents {
        Cents(amount.0.saturating_mul(i64::from(self.0)).div_euclid(10_000))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0.div_euclid(100), self.0.rem_euclid(100))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (dollars, cents) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        let digits = dollars.to_string();
        write!(f, "{sign}$")?;
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        write!(f, ".{cents:02}")
    }
}

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Write an amount such as 1,250.00, at most {}.", Cents::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cents, NotAnAmount, Share};

    #[test]
    fn reads_what_people_write() {
        for (text, cents) in
            [("1250", 125_000), ("$1,250.50", 125_050), (" 0.5 ", 50), ("-12.00", -1_200), ("10000000", 1_000_000_000)]
        {
            assert_eq!(Cents::parse(text), Ok(Cents(cents)), "{text}");
        }
        for text in ["", "-", ".5", "1.234", "1e5", "ten", "10000000.01", "9999999999", "--1", "1-"] {
            assert_eq!(Cents::parse(text), Err(NotAnAmount), "{text}");
        }
    }

    #[test]
    fn reads_percentages_and_takes_that_part() {
        for (text, of_ten_dollars) in [("0", 0), ("12.5", 125), ("100%", 1_000), ("0.01", 0)] {
            assert_eq!(Share::parse(text).map(|share| share.of(Cents(1_000))), Some(Cents(of_ten_dollars)), "{text}");
        }
        for text in ["", "-1", "100.01", "1.234", "ten"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
        assert_eq!(Share::parse("7.5").unwrap().to_string(), "7.50");
    }

    #[test]
    fn shows_thousands() {
        for (cents, text) in [(0, "$0.00"), (5, "$0.05"), (-123_456, "-$1,234.56"), (100_000_000, "$1,000,000.00")] {
            assert_eq!(Cents(cents).to_string(), text);
        }
    }
}
