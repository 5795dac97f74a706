//! Always answering one label, whatever the text: what a result has to be better than to be one.

use super::{Metric, Metrics};

/// Why a classifier's metrics are no result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoResult {
    /// It answers this label for all rows, though they have several.
    OneClass(u32),
    /// It is no better than always answering the label.
    NoBetter {
        /// The metric that says so.
        metric: Metric,
        /// Its own value of it.
        own: f64,
        /// That of always answering the label.
        always: f64,
    },
}

impl Metrics {
    /// Why these metrics are no result, where they are none: beside always answering `label`, by the metric `by` (of a loss: the
    /// accuracy).
    pub fn no_result(&self, label: u32, by: Metric) -> Option<NoResult> {
        if self.rows == 0 {
            return None;
        }
        if let Some(only) = self.one_class() {
            return Some(NoResult::OneClass(only));
        }
        let share = self.right_by_always(label) as f64 / self.rows as f64;
        let (metric, always) = match by {
            Metric::Accuracy | Metric::Loss | Metric::CalibrationError => (Metric::Accuracy, share),
            // Always answering one label: its precision is its share, its recall 1, and the other classes have an F1 of 0.
            Metric::MacroF1 => {
                let supports = self.confusion.supports();
                let occur = (0..).zip(&supports).filter(|(id, rows)| **rows > 0 || *id == label).count();
                (Metric::MacroF1, 2.0 * share / (1.0 + share) / occur.max(1) as f64)
            }
        };
        let own = self.get(metric);
        (own <= always).then_some(NoResult::NoBetter { metric, own, always })
    }
}
