//! How many bits an approximate index may have.

/// What an [`Approx`](crate::Approx) index of so many bits means for a column: how well its values hide behind each
/// other, and what a search costs.
///
/// ```
/// use stockade_field_crypto::IndexPlan;
///
/// // A tenant with 20,000 drivers, indexed by the last four digits: 10,000 different values.
/// let plan = IndexPlan::hiding(20_000, 10_000, 8).expect("enough values to hide among");
/// assert_eq!(plan.bits(), 9);                          // LastN<4> => Approx<9>
/// assert_eq!(plan.values_per_tag().round(), 20.0);
/// assert_eq!(plan.candidates().round(), 41.0);         // rows that a search opens
/// ```
///
/// # What a reader of the database learns
///
/// Without the key, which rows share a tag: at most [`bits`](Self::bits) bits about each value. The bits of all
/// indexes over one column, or over columns that tell of each other, add up. Hashing does not hide how often a
/// value occurs: if one value is in a third of the rows, its tag is as well, whatever the number of bits, so an index
/// over names shows the common ones. With the key as well, the values behind a tag: about
/// [`values_per_tag`](Self::values_per_tag) for each row.
///
/// The rule is that of [CipherSweet's planner](https://ciphersweet.paragonie.com/php/blind-index-planning), values must
/// coincide, with the least number of them as a parameter (there 2) and with the chance that a value has fewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexPlan {
    rows: f64,
    values: f64,
    bits: u8,
}

/// One value in a hundred may have fewer companions than were asked for.
const EXPOSED: f64 = 0.01;

impl IndexPlan {
    /// The most bits with which at least 99 of 100 values share their tag with `companions` or more other values
    /// of the column. `None` if one bit is too many: then there are not enough values, and an index shows them.
    ///
    /// `rows` and `values` are those of one tenant, or of all for a [`Global`](crate::Global) index, and rather too few
    /// than too many: `values` is how many different values the rows really hold, not how many there could be.
    #[must_use]
    pub fn hiding(rows: u64, values: u64, companions: u16) -> Option<Self> {
        (1..=64).rev().map(|bits| Self::of(rows, values, bits)).find(|plan| plan.exposed(companions) <= EXPOSED)
    }

    /// What an index of `bits` bits means.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub const fn of(rows: u64, values: u64, bits: u8) -> Self {
        Self { rows: rows as f64, values: values as f64, bits }
    }

    /// The bits.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// How many different values share a tag on average.
    #[must_use]
    pub fn values_per_tag(&self) -> f64 {
        self.values / self.tags()
    }

    /// How many rows a search for a value finds and opens on average: those that hold it, and those that do not.
    #[must_use]
    pub fn candidates(&self) -> f64 {
        let holding = self.rows / self.values.max(1.0);
        holding + (self.rows - holding).max(0.0) / self.tags()
    }

    /// The share of values whose tag fewer than `companions` other values have, 0 to 1. Tags are as good as random, so
    /// the number of companions has a Poisson distribution.
    #[must_use]
    pub fn exposed(&self, companions: u16) -> f64 {
        let mean = (self.values - 1.0).max(0.0) / self.tags();
        if mean == 0.0 {
            return if companions == 0 { 0.0 } else { 1.0 };
        }
        let mut log_term = -mean;
        let mut sum = 0.0;
        for number in 0..u32::from(companions) {
            sum += log_term.exp();
            log_term += mean.ln() - f64::from(number + 1).ln();
            if f64::from(number) > mean && log_term < -60.0 {
                break;
            }
        }
        sum.min(1.0)
    }

    fn tags(&self) -> f64 {
        f64::from(self.bits).exp2()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use sha2::{Digest as _, Sha256};

    use super::IndexPlan;

    /// Distributes values over tags with a real hash, and counts.
    fn counted(values: u64, bits: u8, companions: u64) -> f64 {
        let tag = |value: u64| {
            let hash = Sha256::digest(value.to_be_bytes());
            u64::from_be_bytes(hash[..8].try_into().unwrap()) >> (64 - bits)
        };
        let mut tags = HashMap::<u64, u64>::new();
        for value in 0..values {
            *tags.entry(tag(value)).or_default() += 1;
        }
        let exposed: u64 = tags.values().filter(|sharing| **sharing <= companions).sum();
        exposed as f64 / values as f64
    }

    #[test]
    fn the_plan_tells_what_hashing_does() {
        for (values, companions) in [(2_000, 1), (10_000, 8), (50_000, 20), (200_000, 2)] {
            let plan = IndexPlan::hiding(values, values, companions).unwrap();
            let real = counted(values, plan.bits(), companions.into());
            assert!(real <= 0.02, "{values} values, {} bits: {real} exposed", plan.bits());
            let predicted = plan.exposed(companions);
            assert!((real - predicted).abs() < 0.01, "{real} against {predicted}");
            // One bit more would have been too many.
            let real = counted(values, plan.bits() + 1, companions.into());
            assert!(real > 0.01, "{values} values, {} bits: {real} exposed", plan.bits() + 1);
        }
    }

    #[test]
    fn the_plan_has_the_most_bits_that_keep_the_rule() {
        for values in [1_000, 3_000, 10_000, 77_777, 1_000_000] {
            for companions in 1..60 {
                let plan = IndexPlan::hiding(values, values, companions).unwrap();
                assert!(plan.exposed(companions) <= 0.01);
                assert!(IndexPlan::of(values, values, plan.bits() + 1).exposed(companions) > 0.01);
            }
        }
    }

    #[test]
    fn few_values_have_no_plan() {
        assert_eq!(IndexPlan::hiding(1_000_000, 0, 1), None);
        assert_eq!(IndexPlan::hiding(1_000_000, 2, 1), None);
        assert_eq!(IndexPlan::hiding(1_000_000, 20, 20), None);
        assert_eq!(IndexPlan::hiding(u64::MAX, u64::MAX, 0).unwrap().bits(), 64);
        assert!(IndexPlan::hiding(u64::MAX, u64::MAX, u16::MAX).is_some());
    }

    #[test]
    fn candidates_are_those_that_hold_the_value_and_their_share_of_the_others() {
        assert_eq!(IndexPlan::of(1_000, 100, 64).candidates(), 10.0);
        assert_eq!(IndexPlan::of(1_000, 100, 1).candidates(), 505.0);
        assert_eq!(IndexPlan::of(0, 0, 8).candidates(), 0.0);
    }
}
