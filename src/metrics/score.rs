//! Values of metrics that are compared: higher is better.

use serde::{Deserialize, Serialize};

/// A value of a metric with its sign set so that higher is better. [`Metric::score`](super::Metric::score) returns it,
/// [`Metric::value`](super::Metric::value) converts it back.
///
/// It is serialised as a plain number: the value, negated if lower values are better. NaN and infinities, which JSON does not have, are
/// texts.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(into = "Written", from = "Written")]
pub struct Score(pub(super) f64);

/// How a score is serialised.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(Odd),
}

#[derive(Serialize, Deserialize)]
enum Odd {
    #[serde(rename = "nan")]
    NaN,
    #[serde(rename = "inf")]
    Highest,
    #[serde(rename = "-inf")]
    Lowest,
}

impl From<Score> for Written {
    fn from(Score(score): Score) -> Self {
        match score {
            _ if score.is_nan() => Self::Text(Odd::NaN),
            f64::INFINITY => Self::Text(Odd::Highest),
            f64::NEG_INFINITY => Self::Text(Odd::Lowest),
            _ => Self::Number(score),
        }
    }
}

impl From<Written> for Score {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::Number(score) => score,
            Written::Text(Odd::NaN) => f64::NAN,
            Written::Text(Odd::Highest) => f64::INFINITY,
            Written::Text(Odd::Lowest) => f64::NEG_INFINITY,
        })
    }
}

impl Score {
    /// The score of a failed run.
    pub const WORST: Self = Self(f64::NEG_INFINITY);

    /// The score, or [`Self::WORST`] if it is NaN.
    #[must_use]
    pub fn or_worst(self) -> Self {
        if self.0.is_nan() { Self::WORST } else { self }
    }

    /// Whether it is a finite number: neither NaN nor the score of a failed run.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// Whether the metric has no value: no failure, but worse than any value.
    pub fn is_undefined(self) -> bool {
        self.0.is_nan()
    }

    /// By how much it is better than another score of the same metric, in its unit; negative if it is worse.
    pub fn above(self, other: Self) -> f64 {
        self.0 - other.0
    }

    /// Whether two scores can be of the same model: a repeated evaluation on a device that is not deterministic differs by less than 0.1%,
    /// another run usually by more. Two NaNs are near.
    pub fn is_near(self, other: Self) -> bool {
        let (a, b) = (self.0, other.0);
        a == b || (a - b).abs() <= 1e-3 * a.abs().max(b.abs()) || (a.is_nan() && b.is_nan())
    }

    /// The negated score, for code that minimises.
    pub fn cost(self) -> f64 {
        -self.0
    }

    /// The mean of scores; `None` without scores.
    pub fn mean(scores: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (sum, count) = scores.into_iter().fold((0.0, 0u32), |(sum, count), score| (sum + score.0, count + 1));
        (count > 0).then(|| Self(sum / f64::from(count)))
    }

    /// The median of scores, in any order: of an even number the mean of the middle two; `None` without scores.
    pub fn median(mut scores: Vec<Self>) -> Option<Self> {
        scores.sort_by(Self::total_cmp);
        let middle = scores.len() / 2;
        match scores.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(scores[middle]),
            // Halved before adding, so that two huge losses do not overflow.
            _ => Some(Self(scores[middle - 1].0 / 2.0 + scores[middle].0 / 2.0)),
        }
    }

    /// A total order of scores, the worst first; NaN as in [`f64::total_cmp`].
    pub fn total_cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }

    /// The score rounded to 1e-12 and scaled, for comparisons only: means of the same values summed in another order can differ in their
    /// last bits.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self((self.0 * 1e12).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    #[test]
    fn means_and_medians_of_scores() {
        let scores = |values: &[f64]| values.iter().map(|v| Metric::Loss.score(*v)).collect::<Vec<_>>();
        let value = |score: Option<Score>| score.map(|score| Metric::Loss.value(score));
        assert_eq!(value(Score::mean(scores(&[0.25, 0.5, 0.75]))), Some(0.5));
        assert_eq!(value(Score::median(scores(&[9.0, 0.5, 0.25]))), Some(0.5));
        assert_eq!(value(Score::median(scores(&[1.0, 0.25, 0.5, 0.125]))), Some(0.375));
        assert_eq!(value(Score::median(scores(&[1.7e308, 1.7e308]))), Some(1.7e308));
        assert_eq!((Score::mean([]), Score::median(vec![])), (None, None));
        assert_eq!(Metric::Loss.score(f64::NAN).or_worst(), Score::WORST);
    }

    #[test]
    fn every_score_is_read_as_it_is_written() {
        for score in [0.25, -1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(Score) {
            let text = serde_json::to_string(&Some(score)).unwrap();
            let read = serde_json::from_str::<Option<Score>>(&text).unwrap().unwrap();
            assert_eq!(read.0.to_bits(), score.0.to_bits(), "{text}");
        }
        assert_eq!(serde_json::to_string(&Score(0.25)).unwrap(), "0.25");
    }
}
