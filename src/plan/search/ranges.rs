//! Maps positions in [0, 1) to the numbers of a range, and back.

use serde_json::Value;

/// Significant digits of a drawn number: enough for tuning, short in names, exact in TOML.
const DIGITS: i32 = 4;

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::plan) enum Range {
    /// Both ends above 0.
    Log(f64, f64),
    Uniform(f64, f64),
    /// Both ends included.
    Int(u64, u64),
}

impl Range {
    /// The number at a position in [0, 1).
    pub(super) fn number(self, position: f64) -> Value {
        match self {
            Self::Log(low, high) => {
                let exact = (low.ln() + position * (high.ln() - low.ln())).exp();
                rounded(exact, low, high).into()
            }
            // Not low + position · (high − low): the difference of two finite numbers may overflow.
            Self::Uniform(low, high) => rounded(low * (1.0 - position) + high * position, low, high).into(),
            Self::Int(low, high) => {
                let steps = (position * (high - low + 1) as f64) as u64;
                (low + steps.min(high - low)).into()
            }
        }
    }

    /// The position in [0, 1) of a number; for whole numbers, the middle of its interval.
    pub(super) fn position(self, number: &Value) -> f64 {
        let number = number.as_f64().unwrap_or_default();
        let position = match self {
            Self::Log(low, high) => (number.ln() - low.ln()) / (high.ln() - low.ln()),
            Self::Uniform(low, high) => (number / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0),
            Self::Int(low, high) => (number - low as f64 + 0.5) / (high - low + 1) as f64,
        };
        position.clamp(0.0, 1.0 - f64::EPSILON)
    }
}

/// Rounds to [`DIGITS`] significant digits, or more if the range is so narrow that its numbers would coincide. The result is never
/// outside the range: its ends are kept as written.
fn rounded(number: f64, low: f64, high: f64) -> f64 {
    let narrow = (low.abs().max(high.abs()) / (high - low)).log10().floor().clamp(0.0, 12.0) as i32;
    let digits = (DIGITS - 1 + narrow) as usize;
    format!("{number:.digits$e}").parse::<f64>().unwrap_or(number).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(range: Range, position: f64) -> f64 {
        range.number(position).as_f64().unwrap()
    }

    #[test]
    fn positions_become_numbers_of_four_digits() {
        let lr = Range::Log(1e-6, 1e-3);
        assert_eq!(number(lr, 0.0), 1e-6);
        assert_eq!(number(lr, 1.0 / 3.0), 1e-5);
        assert_eq!(number(lr, 0.123456), 2.346e-6);
        assert_eq!(number(lr, 1.0 - f64::EPSILON), 1e-3);
        assert_eq!(number(Range::Uniform(0.0, 0.3), 0.123456), 0.03704);
        assert_eq!(number(Range::Uniform(-2.0, 2.0), 0.25), -1.0);
        assert_eq!(number(Range::Uniform(-f64::MAX, f64::MAX), 0.5), 0.0);
    }

    #[test]
    fn rounding_stays_within_the_range_and_tells_narrow_ones_apart() {
        // Rounded, this would be below the lower end.
        assert_eq!(number(Range::Uniform(0.123412, 0.9), 0.0), 0.123412);
        assert_eq!(number(Range::Uniform(0.1, 0.99996), 0.99999), 0.99996);
        let narrow = Range::Uniform(0.1, 0.100_01);
        let numbers: std::collections::BTreeSet<_> =
            (0..50).map(|i| number(narrow, f64::from(i) / 50.0).to_bits()).collect();
        assert_eq!(numbers.len(), 50);
    }

    #[test]
    fn whole_numbers_have_equal_parts_and_both_ends() {
        let mut counts = [0; 4];
        for i in 0..4000 {
            counts[number(Range::Int(3, 6), f64::from(i) / 4000.0) as usize - 3] += 1;
        }
        assert_eq!(counts, [1000; 4]);
        assert_eq!(Range::Int(0, u64::MAX / 2).number(1.0 - f64::EPSILON / 2.0).as_u64().unwrap() >> 62, 1);
    }

    #[test]
    fn numbers_map_back_to_their_positions() {
        for range in [Range::Log(1e-6, 1e-3), Range::Uniform(-1.0, 7.0), Range::Int(0, 9999)] {
            for i in 0..100 {
                let position = f64::from(i) / 100.0 + 0.003;
                let back = range.position(&range.number(position));
                assert!((back - position).abs() < 1e-3, "{range:?} {position} {back}");
            }
        }
        assert!(Range::Log(1e-6, 1e-3).position(&1e-3.into()) < 1.0);
        assert_eq!(Range::Int(5, 6).position(&6.into()), 0.75);
        assert_eq!(Range::Uniform(-f64::MAX, f64::MAX).position(&0.0.into()), 0.5);
    }
}
