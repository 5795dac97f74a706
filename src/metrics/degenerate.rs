//! Classifiers that are no better than the constant classifier, which answers the same label for every text.

use super::{Metric, Metrics, classes::per_class, confusion::Confusion, derived};

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
    /// Whether the classifier is no better than always answering the label with the id `label`, compared by the metric `by`, if that follows
    /// from the labels and is defined for the constant classifier; otherwise by the accuracy. `None` without rows, or if sets of labels or
    /// numbers are predicted.
    pub fn degenerate_beside(&self, label: u32, by: Metric) -> Option<Degenerate> {
        if self.confusion.rows() == 0 {
            return None;
        }
        if let Some(only) = self.one_class() {
            return Some(Degenerate::OneClass(only));
        }
        let constant = self.if_always(label);
        let metric = if constant.get(by).is_nan() { Metric::Accuracy } else { by };
        let (value, constant) = (self.get(metric), constant.get(metric));
        (value <= constant).then_some(Degenerate::NoBetter { metric, value, constant })
    }

    /// The metrics of always answering this label that follow from the labels of the rows.
    fn if_always(&self, label: u32) -> Self {
        let mut confusion = Confusion::new(self.confusion.labels());
        (0..).zip(self.confusion.supports()).for_each(|(id, rows)| confusion.add(id, label, rows));
        let names = self.per_class.iter().map(|class| &class.label);
        let mut constant = Self::stored(self.rows, per_class(names, &confusion), confusion);
        constant.set_all(derived::of_confusion(&constant.confusion));
        constant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;

    fn of(rows: &[(u32, u32)]) -> Metrics {
        let names = ["a", "b", "c"].map(String::from);
        Metrics::new(
            &names,
            rows.iter().map(|(label, predicted)| Scored::of_label(*label, (*predicted, 0.5), &[], 0.5)),
        )
    }

    /// Expected: by hand. Always `a` has a balanced accuracy of 1/3, and an F1 of 0 for `b`.
    #[test]
    fn other_metrics_are_compared_if_the_constant_classifier_has_them() {
        let metrics = of(&[(0, 1), (0, 0), (0, 0), (1, 1), (2, 0)]);
        assert_eq!(metrics.degenerate_beside(0, Metric::BalancedAccuracy), None);
        assert_eq!(metrics.degenerate_beside(0, Metric::f1_of("b")), None);
        let no_better = |metric, value, constant| Some(Degenerate::NoBetter { metric, value, constant });
        let by_accuracy = no_better(Metric::Accuracy, 0.6, 0.6);
        for metric in [Metric::Accuracy, Metric::Mcc, Metric::MacroPrecision, Metric::RocAuc, Metric::Loss] {
            assert_eq!(metrics.degenerate_beside(0, metric), by_accuracy, "{metric:?}");
        }
        assert_eq!(metrics.degenerate_beside(0, Metric::f1_of("c")), no_better(Metric::f1_of("c"), 0.0, 0.0));
    }
}
