//! How well probabilities rank the rows that have a label above those that do not.

/// The metrics of a ranking. A value is NaN where it is undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// Area under the ROC curve, 0 to 1: scikit-learn's `roc_auc_score`. Undefined unless some rows have the label and some do not.
    pub roc_auc: f64,
    /// Sum of the precisions at each probability, weighted by what each adds to the recall, 0 to 1: scikit-learn's
    /// `average_precision_score`. Undefined if no row has the label.
    pub average_precision: f64,
}

/// The probabilities of a label, and whether the rows have it: 4 bytes a row.
#[derive(Debug, Clone, Default)]
pub struct Ranked {
    /// The bits of the probability, which compare as positive numbers do, and the label in the last bit: there is no sign.
    keys: Vec<u32>,
    /// Whether one is NaN or negative.
    broken: bool,
}

impl Ranked {
    /// Adds a row.
    pub fn add(&mut self, probability: f32, has: bool) {
        // −0 becomes 0.
        let bits = (probability + 0.0).to_bits();
        self.broken |= probability.is_nan() || bits >> 31 == 1;
        self.keys.push(bits << 1 | u32::from(has));
    }

    /// The metrics. Rows with equal probabilities share a rank. All are undefined if a probability is NaN. O(n log n).
    pub fn ranking(mut self) -> Ranking {
        if self.broken {
            return Ranking { roc_auc: f64::NAN, average_precision: f64::NAN };
        }
        self.keys.sort_unstable();
        // Twice the area, in pairs of rows with and rows without the label.
        let (mut area, mut precisions) = (0u128, 0.0);
        let (mut with, mut without) = (0u64, 0u64);
        for tied in self.keys.chunk_by(|a, b| a >> 1 == b >> 1).rev() {
            let has = tied.iter().map(|key| u64::from(key & 1)).sum::<u64>();
            area += u128::from(tied.len() as u64 - has) * u128::from(2 * with + has);
            with += has;
            without += tied.len() as u64 - has;
            precisions += has as f64 * (with as f64 / (with + without) as f64);
        }
        let pairs = with as f64 * without as f64;
        Ranking { roc_auc: area as f64 / (2.0 * pairs), average_precision: precisions / with as f64 }
    }
}

/// The mean; NaN without values or if one is NaN.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, n) = values.into_iter().fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[(f32, bool)]) -> Ranking {
        let mut ranked = Ranked::default();
        rows.iter().for_each(|(probability, has)| ranked.add(*probability, *has));
        ranked.ranking()
    }

    #[test]
    fn zeros_of_both_signs_are_equal() {
        assert_eq!(of(&[(-0.0, true), (0.0, false)]).roc_auc, 0.5);
        assert_eq!(of(&[(f32::MIN_POSITIVE / 2.0, true), (0.0, false), (1.0, true)]).roc_auc, 1.0);
    }

    #[test]
    fn a_nan_makes_a_ranking_undefined() {
        let ranking = of(&[(0.25, false), (f32::NAN, true), (0.75, true)]);
        assert!(ranking.roc_auc.is_nan() && ranking.average_precision.is_nan());
    }
}
