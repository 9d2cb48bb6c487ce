//! Amounts in cents, and how people write them.

use std::fmt;

use serde::Serialize;

/// An amount of US dollars in cents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Cents(pub i64);

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
    use super::{Cents, NotAnAmount};

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
    fn shows_thousands() {
        for (cents, text) in [(0, "$0.00"), (5, "$0.05"), (-123_456, "-$1,234.56"), (100_000_000, "$1,000,000.00")] {
            assert_eq!(Cents(cents).to_string(), text);
        }
    }
}
