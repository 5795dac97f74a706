//! Classifiers that are no better than the constant classifier, which answers the same label for every text.

use super::{Metric, Metrics};

/// Why a classifier is degenerate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Degenerate {
    /// It predicts the label with this id for all rows, although the rows have several labels.
    OneClass(u32),
    /// It is no better than the constant classifier.
    NoBetter {
        /// The metric by which they are compared.
        metric: Metric,
        /// The value of the classifier.
        value: f64,
        /// The value of the constant classifier.
        constant: f64,
    },
}

impl Metrics {
    /// Whether the classifier is no better than always answering the label with the id `label`, compared by the metric `by`. The loss and
    /// the calibration error of a constant classifier are undefined: instead of them the accuracy is compared. `None` without rows.
    pub fn degenerate_beside(&self, label: u32, by: Metric) -> Option<Degenerate> {
        if self.rows == 0 {
            return None;
        }
        if let Some(only) = self.one_class() {
            return Some(Degenerate::OneClass(only));
        }
        let share = self.right_if_always(label) as f64 / self.rows as f64;
        let (metric, constant) = match by {
            Metric::Accuracy | Metric::Loss | Metric::CalibrationError => (Metric::Accuracy, share),
            // Precision of the constant classifier is the share of the label, its recall 1, and the other classes have an F1 of 0.
            Metric::MacroF1 => {
                let supports = self.confusion.supports();
                let occur = (0..).zip(&supports).filter(|(id, rows)| **rows > 0 || *id == label).count();
                (Metric::MacroF1, 2.0 * share / (1.0 + share) / occur.max(1) as f64)
            }
        };
        let value = self.get(metric);
        (value <= constant).then_some(Degenerate::NoBetter { metric, value, constant })
    }
}
