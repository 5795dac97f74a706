//! Classifiers that are no better than the constant classifier, which answers the same label for every text.

use super::{Metric, Metrics, confusion::Confusion};

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

    /// The ids of the labels that every row is predicted to have and no others, if the rows differ in theirs: of a model of sets that always
    /// answers the same. `None` of other models, without rows, and where it cannot be told from precision and recall.
    pub fn one_set(&self) -> Option<Vec<u32>> {
        if self.co_occurrence.is_none() || self.rows == 0 {
            return None;
        }
        let rows = self.rows as f64;
        if self.per_class.iter().all(|class| class.support == 0 || class.support == self.rows) {
            return None;
        }
        let mut always = Vec::new();
        for (id, class) in (0..).zip(&self.per_class) {
            if class.recall == 1.0 && (class.precision * rows - class.support as f64).abs() < 1e-6 {
                always.push(id);
            } else if !class.precision.is_nan() {
                return None;
            }
        }
        Some(always)
    }

    /// Whether numbers are predicted no better than by the mean of these rows: R² is not above 0.
    pub fn is_no_better_than_mean(&self) -> bool {
        self.get(Metric::R2) <= 0.0
    }

    /// The metrics of always answering this label that follow from the labels of the rows.
    fn if_always(&self, label: u32) -> Self {
        let mut confusion = Confusion::new(self.confusion.labels());
        (0..).zip(self.confusion.supports()).for_each(|(id, rows)| confusion.add(id, label, rows));
        Self::of_confusion(self.per_class.iter().map(|class| &class.label), confusion)
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

    #[test]
    fn a_model_that_always_answers_the_same_set_is_known() {
        let names = ["a", "b", "c"].map(String::from);
        let of = |rows: &[(&[u32], &[u32])]| {
            let scored = |(labels, predicted): &(&[u32], &[u32])| Scored::Multi {
                labels: labels.to_vec().into(),
                predicted: predicted.to_vec(),
                probabilities: vec![0.5; 3],
                loss: 0.5,
            };
            Metrics::new(&names, rows.iter().map(scored)).one_set()
        };
        assert_eq!(of(&[(&[0], &[0]), (&[1], &[0]), (&[0, 2], &[0])]), Some(vec![0]));
        assert_eq!(of(&[(&[0], &[]), (&[], &[])]), Some(vec![]));
        assert_eq!(of(&[(&[0], &[0, 1]), (&[1], &[0, 1]), (&[], &[0, 1])]), Some(vec![0, 1]));
        assert_eq!(of(&[(&[0], &[0]), (&[1], &[1])]), None);
        assert_eq!(of(&[(&[0], &[0]), (&[0], &[0])]), None, "all rows have this set");
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn numbers_are_compared_with_their_mean() {
        let of = |predicted: [f64; 3]| {
            let row = |(value, predicted): (f64, f64)| Scored::Values {
                values: vec![value].into(),
                predicted: vec![predicted],
                loss: 0.0,
            };
            Metrics::new(&["x".into()], [1.0, 2.0, 3.0].into_iter().zip(predicted).map(row)).is_no_better_than_mean()
        };
        assert_eq!([of([2.0, 2.0, 2.0]), of([3.0, 2.0, 1.0]), of([1.5, 2.0, 2.5])], [true, true, false]);
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
