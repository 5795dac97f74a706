//! Figures of a classifier's predictions. Pure functions of labels, predictions and probabilities.

use serde::{Deserialize, Serialize};

use crate::spec::Metric;

/// Figures of one evaluation. Ratios are in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Rows evaluated.
    pub rows: u64,
    /// Mean cross-entropy in nats, without label smoothing or class weights.
    pub loss: f64,
    /// Share of rows predicted rightly.
    pub accuracy: f64,
    /// Mean of the classes' F1; a class without rows or predictions counts as 0 (as scikit-learn's zero_division=0).
    pub macro_f1: f64,
    /// Expected calibration error: mean |confidence − accuracy| over ten equal-width bins, weighted by rows (Guo et al. 2017).
    pub calibration_error: f64,
    /// Figures of each class, in the order of the labels' ids.
    pub per_class: Vec<ClassMetrics>,
    /// `confusion[label][predicted]`, in rows.
    pub confusion: Vec<Vec<u64>>,
}

/// Figures of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Name of the label.
    pub label: String,
    /// Share of the rows predicted as this class that are of it; 0 where none was.
    pub precision: f64,
    /// Share of the class's rows that were predicted as it; 0 where it has none.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 where both are.
    pub f1: f64,
    /// Rows of the class.
    pub support: u64,
}

impl Metrics {
    /// The figure that `by` names, turned so that more is better.
    pub fn figure(&self, by: Metric) -> f64 {
        match by {
            Metric::Accuracy => self.accuracy,
            Metric::MacroF1 => self.macro_f1,
            Metric::Loss => -self.loss,
        }
    }

    /// Rows predicted rightly: the diagonal of the confusion matrix.
    pub fn right(&self) -> u64 {
        self.confusion.iter().enumerate().filter_map(|(i, row)| row.get(i)).sum()
    }

    /// Figures for rows with the given label ids and probabilities (`[rows][labels]`).
    ///
    /// `losses` are the rows' cross-entropies in nats. The predicted label is the most probable one, the first of equals.
    pub fn new(names: &[String], labels: &[u32], probabilities: &[Vec<f32>], losses: &[f64]) -> Self {
        let n = labels.len().max(1) as f64;
        let mut confusion = vec![vec![0u64; names.len()]; names.len()];
        let mut bins = [(0.0f64, 0u64, 0u64); 10]; // confidence, right, rows
        for (&label, p) in labels.iter().zip(probabilities) {
            let predicted = argmax(p);
            confusion[label as usize][predicted] += 1;
            let bin = &mut bins[((p[predicted] * 10.0) as usize).min(9)];
            bin.0 += f64::from(p[predicted]);
            bin.1 += u64::from(predicted == label as usize);
            bin.2 += 1;
        }
        let ratio = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let per_class: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let support: u64 = confusion[i].iter().sum();
                let predicted: u64 = confusion.iter().map(|row| row[i]).sum();
                ClassMetrics {
                    label: name.clone(),
                    precision: ratio(confusion[i][i], predicted),
                    recall: ratio(confusion[i][i], support),
                    f1: ratio(2 * confusion[i][i], support + predicted),
                    support,
                }
            })
            .collect();
        let right: u64 = (0..names.len()).map(|i| confusion[i][i]).sum();
        Self {
            rows: labels.len() as u64,
            loss: losses.iter().sum::<f64>() / n,
            accuracy: right as f64 / n,
            macro_f1: per_class.iter().map(|c| c.f1).sum::<f64>() / names.len().max(1) as f64,
            calibration_error: bins.iter().map(|b| (b.0 - b.1 as f64).abs()).sum::<f64>() / n,
            per_class,
            confusion,
        }
    }
}

/// log softmax of a row of logits, in nats.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|v| f64::from(v - max).exp()).sum();
    logits.iter().map(|v| f64::from(v - max) - sum.ln()).collect()
}

/// Position of the largest value, the first of equals.
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

    #[test]
    fn log_softmax_of_large_logits_is_finite_and_the_first_of_equals_is_chosen() {
        for shift in [0.0, 1e4, -1e4] {
            let got = log_softmax(&[shift, shift, shift - 2.0]);
            let whole = (2.0 + (-2.0f64).exp()).ln();
            assert!((got[0] + whole).abs() < 1e-12 && (got[2] + 2.0 + whole).abs() < 1e-12, "{got:?}");
        }
        assert_eq!(argmax(&[0.1, 0.4, 0.4]), 1);
    }

    /// Expected values: scikit-learn's classification_report on the same six rows.
    #[test]
    fn figures_match_scikit_learn() {
        let names: Vec<String> = ["neg", "pos", "none"].map(String::from).to_vec();
        let p = |i: usize, c: f32| {
            let mut v = vec![(1.0 - c) / 2.0; 3];
            v[i] = c;
            v
        };
        let probabilities = [p(0, 0.9), p(1, 0.6), p(1, 0.8), p(1, 0.7), p(0, 0.5), p(1, 0.95)];
        let m = Metrics::new(&names, &[0, 0, 1, 1, 1, 1], &probabilities, &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        assert_eq!(m.confusion, [[1, 1, 0], [1, 3, 0], [0, 0, 0]]);
        assert!((m.accuracy - 4.0 / 6.0).abs() < 1e-12);
        assert!((m.loss - 0.35).abs() < 1e-12);
        assert!((m.per_class[0].precision - 0.5).abs() < 1e-12 && (m.per_class[0].recall - 0.5).abs() < 1e-12);
        assert!((m.per_class[1].precision - 0.75).abs() < 1e-12 && (m.per_class[1].f1 - 0.75).abs() < 1e-12);
        assert!((m.macro_f1 - (0.5 + 0.75 + 0.0) / 3.0).abs() < 1e-12);
        // Bins: 0.5 (wrong), 0.6 (wrong), 0.7 (right), 0.8 (right), 0.9 and 0.95 (both right).
        let want = (0.5 + 0.6 + 0.3 + 0.2 + (1.85f64 - 2.0).abs()) / 6.0;
        assert!((m.calibration_error - want).abs() < 1e-6, "{} {want}", m.calibration_error);
    }
}
