//! The middle of what was measured.

/// The median of what was measured in several rounds, the upper one of two; not a number if there was none.
#[must_use]
pub fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
}
