//! The metrics of one evaluation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Metric, Score, confusion::Confusion, counts::Counts};

/// Number of equal-width bins of the expected calibration error.
const BINS: usize = 10;

/// The prediction for one row, with what metrics are computed from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Id of its label.
    pub label: u32,
    /// Id of the predicted label.
    pub predicted: u32,
    /// Probability of the predicted label, from 0 to 1.
    pub confidence: f32,
    /// Its cross-entropy, in nats.
    pub loss: f64,
}

/// The metrics of one evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The number of rows.
    pub rows: u64,
    pub(super) values: BTreeMap<Metric, f64>,
    /// Metrics of each class, by label id.
    pub per_class: Vec<ClassMetrics>,
    /// Numbers of rows by label and predicted label.
    pub confusion: Confusion,
}

/// Metrics of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Name of the label.
    pub label: String,
    /// Share (0 to 1) of the rows predicted as this class that belong to it; 0 if none is predicted as it.
    pub precision: f64,
    /// Share (0 to 1) of the class's rows that are predicted as it; 0 if it has no rows.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 if both are 0.
    pub f1: f64,
    /// The number of rows of the class.
    pub support: u64,
}

impl Scored {
    /// The prediction for a row with this label id, these probabilities by label id and this loss in nats: the most probable label, the
    /// lower id of equals.
    ///
    /// # Panics
    /// If `probabilities` is empty.
    pub fn new(label: u32, probabilities: &[f32], loss: f64) -> Self {
        let predicted = argmax(probabilities);
        Self { label, predicted: predicted as u32, confidence: probabilities[predicted], loss }
    }
}

impl Metrics {
    /// The metrics of a stored evaluation; their values are added with [`Self::set`].
    pub fn stored(rows: u64, per_class: Vec<ClassMetrics>, confusion: Confusion) -> Self {
        Self { rows, values: BTreeMap::new(), per_class, confusion }
    }

    /// The value of a metric in its unit; NaN if it is undefined or was not measured.
    pub fn get(&self, metric: Metric) -> f64 {
        self.values.get(&metric).copied().unwrap_or(f64::NAN)
    }

    /// Sets the value of a metric, in its unit.
    pub fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric, value);
    }

    /// Every measured metric with its value, in the order of [`Metric`].
    pub fn values(&self) -> impl Iterator<Item = (Metric, f64)> {
        self.values.iter().map(|(metric, value)| (*metric, *value))
    }

    /// The value of a metric as a score: higher is better.
    pub fn score(&self, metric: Metric) -> Score {
        metric.score(self.get(metric))
    }

    /// The number of rows predicted correctly.
    pub fn right(&self) -> u64 {
        self.confusion.right()
    }

    /// The number of rows that are predicted correctly by always answering this label: the rows that have it. 0 for an unknown id.
    pub fn right_if_always(&self, label: u32) -> u64 {
        self.confusion.supports().get(label as usize).copied().unwrap_or(0)
    }

    /// Id of the only label that is predicted, if the rows have several labels.
    pub fn one_class(&self) -> Option<u32> {
        let given =
            |counts: Vec<u64>| (0..).zip(counts).filter(|(_, rows)| *rows > 0).map(|(id, _)| id).collect::<Vec<u32>>();
        match given(self.confusion.predicted())[..] {
            [only] if given(self.confusion.supports()).len() > 1 => Some(only),
            _ => None,
        }
    }

    /// The metrics of the rows of several evaluations together, such as those of the folds of a cross-validation, all of which have the same
    /// labels: each row counts once. The calibration error cannot be derived from theirs, and is left out. `None` without evaluations.
    pub fn pooled(parts: &[&Self]) -> Option<Self> {
        let first = parts.first()?;
        let mut confusion = Confusion::new(first.confusion.labels());
        for (label, predicted, rows) in parts.iter().flat_map(|part| part.confusion.cells()) {
            confusion.add(label, predicted, rows);
        }
        let rows: u64 = parts.iter().map(|part| part.rows).sum();
        let n = rows.max(1) as f64;
        let loss = parts.iter().map(|part| part.get(Metric::Loss) * part.rows as f64).sum::<f64>() / n;
        let values = [
            (Metric::Loss, loss),
            (Metric::Accuracy, confusion.right() as f64 / n),
            (Metric::MacroF1, confusion.macro_f1()),
        ];
        let names = first.per_class.iter().map(|class| &class.label);
        Some(Self { rows, values: values.into(), per_class: per_class(names, &confusion), confusion })
    }

    /// The metrics of these predictions; `names` are the names of the labels by id. Without rows all values are 0.
    ///
    /// # Panics
    /// If a row has an id that is not below the number of names.
    pub fn new(names: &[String], rows: impl IntoIterator<Item = Scored>) -> Self {
        let mut tally = Tally::new(names.len());
        rows.into_iter().for_each(|row| tally.add(row));
        tally.metrics(names)
    }
}

/// What metrics are computed from, counted row by row in constant memory.
#[derive(Debug, Clone)]
pub struct Tally {
    confusion: Confusion,
    /// Sum of the confidences and number of right rows in each bin.
    bins: [(f64, u64); BINS],
    rows: u64,
    /// Sum of the losses, in nats.
    loss: f64,
}

impl Tally {
    /// No row so far of a model with this number of labels.
    pub fn new(labels: usize) -> Self {
        Self { confusion: Confusion::new(labels), bins: [(0.0, 0); BINS], rows: 0, loss: 0.0 }
    }

    /// Counts a row.
    pub fn add(&mut self, row: Scored) {
        self.confusion.add(row.label, row.predicted, 1);
        let bin = &mut self.bins[((row.confidence * BINS as f32) as usize).min(BINS - 1)];
        bin.0 += f64::from(row.confidence);
        bin.1 += u64::from(row.predicted == row.label);
        self.rows += 1;
        self.loss += row.loss;
    }

    /// The metrics of the rows; `names` are the names of the labels by id. Without rows all values are 0.
    ///
    /// # Panics
    /// If a row has an id that is not below the number of names.
    pub fn metrics(self, names: &[String]) -> Metrics {
        let Self { confusion, bins, rows, loss } = self;
        let n = rows.max(1) as f64;
        let values = [
            (Metric::Loss, loss / n),
            (Metric::Accuracy, confusion.right() as f64 / n),
            (Metric::MacroF1, confusion.macro_f1()),
            (Metric::CalibrationError, bins.iter().map(|b| (b.0 - b.1 as f64).abs()).sum::<f64>() / n),
        ];
        Metrics { rows, values: values.into(), per_class: per_class(names, &confusion), confusion }
    }
}

/// The metrics of each class.
fn per_class<'a>(names: impl IntoIterator<Item = &'a String>, confusion: &Confusion) -> Vec<ClassMetrics> {
    // 0/0 is 0 here.
    let or_0 = |value: f64| if value.is_nan() { 0.0 } else { value };
    let of = |(name, counts): (&String, Counts)| ClassMetrics {
        label: name.clone(),
        precision: or_0(counts.precision()),
        recall: or_0(counts.recall()),
        f1: or_0(counts.f1()),
        support: counts.support,
    };
    names.into_iter().zip(confusion.counts()).map(of).collect()
}

/// Id of the label with the most rows, the lower id of equals. `counts` are the numbers of rows by label id; `None` if it is empty.
pub fn majority(counts: &[u64]) -> Option<u32> {
    (0..).zip(counts).max_by_key(|(id, rows)| (**rows, std::cmp::Reverse(*id))).map(|(id, _)| id)
}

/// Describes the label that [`majority`] returns: the most common label; of several as common, one of the 2 most common labels; where all
/// are as common, as common as every other label. `label` is the noun.
pub fn majority_words(counts: &[u64], label: &str) -> String {
    match (as_common(counts), counts.len()) {
        (0 | 1, _) => format!("the most common {label}"),
        (n, all) if n == all => format!("as common as every other {label}"),
        (n, _) => format!("one of the {n} most common {label}s"),
    }
}

/// How many labels have the largest number of rows.
fn as_common(counts: &[u64]) -> usize {
    let most = counts.iter().max();
    counts.iter().filter(|rows| Some(*rows) == most).count()
}

/// Index of the largest value, the first of equals; 0 if there are no values. NaNs never win unless the first value is NaN.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values: scikit-learn's classification_report on the same six rows.
    #[test]
    fn metrics_match_scikit_learn() {
        let names: Vec<String> = ["neg", "pos", "none"].map(String::from).to_vec();
        let p = |i: usize, c: f32| {
            let mut v = vec![(1.0 - c) / 2.0; 3];
            v[i] = c;
            v
        };
        let probabilities = [p(0, 0.9), p(1, 0.6), p(1, 0.8), p(1, 0.7), p(0, 0.5), p(1, 0.95)];
        let rows = [0, 0, 1, 1, 1, 1].into_iter().zip(&probabilities).zip([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        let m = Metrics::new(&names, rows.map(|((label, p), loss)| Scored::new(label, p, loss)));
        assert_eq!(m.confusion, Confusion::from_rows([[1, 1, 0], [1, 3, 0], [0, 0, 0]]));
        assert!((m.get(Metric::Accuracy) - 4.0 / 6.0).abs() < 1e-12);
        assert!((m.get(Metric::Loss) - 0.35).abs() < 1e-12);
        assert!((m.per_class[0].precision - 0.5).abs() < 1e-12 && (m.per_class[0].recall - 0.5).abs() < 1e-12);
        assert!((m.per_class[1].precision - 0.75).abs() < 1e-12 && (m.per_class[1].f1 - 0.75).abs() < 1e-12);
        assert!((m.get(Metric::MacroF1) - (0.5 + 0.75) / 2.0).abs() < 1e-12);
        // Bins: 0.5 (wrong), 0.6 (wrong), 0.7 (right), 0.8 (right), 0.9 and 0.95 (both right).
        let want = (0.5 + 0.6 + 0.3 + 0.2 + (1.85f64 - 2.0).abs()) / 6.0;
        assert!((m.get(Metric::CalibrationError) - want).abs() < 1e-6, "{} {want}", m.get(Metric::CalibrationError));
    }

    /// The rows of two evaluations are those of one; only the calibration error is not known of both together.
    #[test]
    fn pooled_metrics_are_those_of_all_rows() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let row = |(label, predicted, loss)| Scored { label, predicted, confidence: 0.7, loss };
        let rows = [(0, 0, 0.1), (0, 1, 0.9), (1, 1, 0.2), (2, 2, 0.4), (2, 0, 1.5), (1, 1, 0.3), (0, 0, 0.6)];
        let of = |rows: &[(u32, u32, f64)]| Metrics::new(&names, rows.iter().copied().map(row));
        let (all, parts) = (of(&rows), [of(&rows[..3]), of(&rows[3..])]);
        let pooled = Metrics::pooled(&parts.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((pooled.rows, &pooled.per_class, &pooled.confusion), (7, &all.per_class, &all.confusion));
        for metric in [Metric::Accuracy, Metric::MacroF1, Metric::Loss] {
            assert!((pooled.get(metric) - all.get(metric)).abs() < 1e-15, "{metric:?}");
        }
        assert!(pooled.get(Metric::CalibrationError).is_nan());
        // Not the mean of those of the parts.
        let mean = parts.iter().map(|part| part.get(Metric::Accuracy)).sum::<f64>() / 2.0;
        assert!((pooled.get(Metric::Accuracy) - mean).abs() > 1e-3);
        assert_eq!(Metrics::pooled(&[]), None);
    }

    #[test]
    fn a_model_that_predicts_one_label_is_distinguished_from_a_split_that_has_one() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let of = |rows: &[(u32, u32)]| {
            let scored = |&(label, predicted)| Scored { label, predicted, confidence: 0.5, loss: 0.7 };
            Metrics::new(&names, rows.iter().map(scored))
        };
        assert_eq!(of(&[(0, 1), (1, 1), (1, 1)]).one_class(), Some(1));
        assert_eq!(of(&[(1, 1), (1, 1)]).one_class(), None);
        assert_eq!(of(&[(0, 0), (1, 1)]).one_class(), None);
        assert_eq!(of(&[]).one_class(), None);
        assert_eq!((of(&[(0, 1), (1, 1), (1, 1)]).right_if_always(1), of(&[]).right_if_always(9)), (2, 0));
    }

    #[test]
    fn the_majority_is_the_first_of_equals() {
        assert_eq!(majority_words(&[2, 5, 4], "label"), "the most common label");
        assert_eq!(majority_words(&[2, 5, 5], "label"), "one of the 2 most common labels");
        assert_eq!(majority_words(&[5, 5], "training label"), "as common as every other training label");
        assert_eq!(majority_words(&[0, 5], "label"), "the most common label");
        assert_eq!([majority(&[2, 5, 5]), majority(&[0, 0]), majority(&[])], [Some(1), Some(0), None]);
    }
}
