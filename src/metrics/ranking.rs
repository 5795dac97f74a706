//! How well scores rank the rows that have a label above those that do not.

/// The metrics of a ranking. A value is NaN where it is undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// Area under the ROC curve: scikit-learn's `roc_auc_score`. Undefined unless some rows have the label and some do not.
    pub roc_auc: f64,
    /// Sum of the precisions at each score, weighted by what each adds to the recall: scikit-learn's `average_precision_score`.
    /// Undefined if no row has the label.
    pub average_precision: f64,
}

impl Ranking {
    /// Of (score, whether it has the label) of each row, in any order; of a higher score the label is more probable. Rows with equal
    /// scores share a rank. Both values are undefined if a score is NaN. O(n log n).
    pub fn of(rows: impl IntoIterator<Item = (f32, bool)>) -> Self {
        let mut nan = false;
        // Integers in the order of the scores, the label in the last bit: they sort faster than floats.
        let mut keys: Vec<u64> = rows
            .into_iter()
            .map(|(score, has)| {
                nan |= score.is_nan();
                (u64::from(ordered(score)) << 1) | u64::from(has)
            })
            .collect();
        if nan {
            return Self { roc_auc: f64::NAN, average_precision: f64::NAN };
        }
        keys.sort_unstable();
        // Twice the area, in pairs of rows with and rows without the label.
        let (mut area, mut precisions) = (0u128, 0.0);
        let (mut with, mut without) = (0u64, 0u64);
        for tied in keys.chunk_by(|a, b| a >> 1 == b >> 1).rev() {
            let has = tied.iter().map(|key| key & 1).sum::<u64>();
            area += u128::from(tied.len() as u64 - has) * u128::from(2 * with + has);
            with += has;
            without += tied.len() as u64 - has;
            precisions += has as f64 * (with as f64 / (with + without) as f64);
        }
        Self {
            roc_auc: area as f64 / (2.0 * with as f64 * without as f64),
            average_precision: precisions / with as f64,
        }
    }
}

/// An integer that compares as the number does; of both zeros the same.
fn ordered(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The mean; NaN without values or if one is NaN.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, n) = values.into_iter().fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of both signs, both zeros and infinity are in their order.
    #[test]
    fn any_numbers_rank() {
        let scores = [f32::NEG_INFINITY, -2.0, -1.0, -0.0, 0.0, f32::MIN_POSITIVE, 1.0, f32::INFINITY];
        for pair in scores.windows(2) {
            assert_eq!(ordered(pair[0]) < ordered(pair[1]), pair[0] < pair[1], "{pair:?}");
        }
        assert_eq!(Ranking::of([(-0.0, true), (0.0, false)]).roc_auc, 0.5);
    }

    #[test]
    fn a_nan_makes_a_ranking_undefined() {
        let ranking = Ranking::of([(0.25, false), (f32::NAN, true), (0.75, true)]);
        assert!(ranking.roc_auc.is_nan() && ranking.average_precision.is_nan());
    }
}
