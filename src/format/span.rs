//! A number, or the range of numbers that differ between runs.

use std::fmt;

use super::count;

/// The lowest and the highest of some numbers, shown as `225`, or as `90–135` where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The lowest.
    pub low: u64,
    /// The highest.
    pub high: u64,
}

impl Span {
    /// That of these numbers; `None` without any.
    pub fn of(numbers: impl IntoIterator<Item = u64>) -> Option<Self> {
        numbers.into_iter().map(Self::from).reduce(|a, b| Self { low: a.low.min(b.low), high: a.high.max(b.high) })
    }

    /// Whether all are the same number.
    pub fn is_one(self) -> bool {
        self.low == self.high
    }
}

impl From<u64> for Span {
    fn from(number: u64) -> Self {
        Self { low: number, high: number }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_one() {
            true => f.write_str(&count(self.low)),
            false => write!(f, "{}–{}", count(self.low), count(self.high)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_one() {
        let of = |numbers: &[u64]| Span::of(numbers.iter().copied()).map(|span| (span.to_string(), span.is_one()));
        assert_eq!(of(&[225, 225]), Some(("225".into(), true)));
        assert_eq!(of(&[1200, 90, 135]), Some(("90–1,200".into(), false)));
        assert_eq!(of(&[]), None);
    }
}
