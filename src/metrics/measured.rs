//! The metrics of one evaluation.

use std::collections::BTreeMap;

use super::{
    Metric,
    classes::{ClassMetrics, per_class, same},
    confusion::Confusion,
    derived,
    score::Score,
};

/// The metrics of one evaluation.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The number of rows.
    pub rows: u64,
    pub(super) values: BTreeMap<Metric, f64>,
    /// Metrics of each class, by label id; empty if numbers are predicted.
    pub per_class: Vec<ClassMetrics>,
    /// Numbers of rows by label and predicted label; without rows unless one label is predicted.
    pub confusion: Confusion,
    /// If sets of labels are predicted: the number of rows that have both of two different labels, for each pair of ids, in both orders.
    pub co_occurrence: Option<Confusion>,
}

impl PartialEq for Metrics {
    /// NaN equals NaN.
    fn eq(&self, other: &Self) -> bool {
        let Self { rows, values, per_class, confusion, co_occurrence } = self;
        (rows, per_class, confusion, co_occurrence)
            == (&other.rows, &other.per_class, &other.confusion, &other.co_occurrence)
            && values.len() == other.values.len()
            && values.iter().zip(&other.values).all(|(a, b)| a.0 == b.0 && same(*a.1, *b.1))
    }
}

impl Metrics {
    /// The metrics of a stored evaluation; their values are added with [`Self::set`].
    pub fn stored(rows: u64, per_class: Vec<ClassMetrics>, confusion: Confusion) -> Self {
        Self { rows, values: BTreeMap::new(), per_class, confusion, co_occurrence: None }
    }

    /// The metrics that follow from a confusion matrix. `names` are the names of the labels by id.
    pub fn of_confusion<'a>(names: impl IntoIterator<Item = &'a String>, confusion: Confusion) -> Self {
        let mut metrics = Self::stored(confusion.rows(), per_class(names, &confusion), confusion);
        metrics.set_all(derived::of_confusion(&metrics.confusion));
        metrics
    }

    /// The value of a metric in its unit; NaN if it is undefined or was not measured. The F1 of a label follows from the counts of the label,
    /// whether or not it was set.
    pub fn get(&self, metric: Metric) -> f64 {
        let of_label = || {
            let name = metric.label_name()?;
            let id = self.per_class.iter().position(|class| class.label == name)?;
            // Earlier versions stored 0 for what is undefined.
            let counted = (self.confusion.rows() > 0).then(|| self.confusion.counts().get(id).map(|label| label.f1()));
            counted.unwrap_or_else(|| Some(self.per_class[id].f1_if_it_occurs()))
        };
        self.values.get(&metric).copied().or_else(of_label).unwrap_or(f64::NAN)
    }

    /// Whether a metric was measured; it can be undefined all the same.
    pub fn is_measured(&self, metric: Metric) -> bool {
        self.values.contains_key(&metric)
    }

    /// Sets the value of a metric, in its unit.
    pub fn set(&mut self, metric: Metric, value: f64) {
        self.values.insert(metric, value);
    }

    /// Sets the values of these metrics.
    pub(super) fn set_all(&mut self, values: impl IntoIterator<Item = (Metric, f64)>) {
        self.values.extend(values);
    }

    /// Adds the F1 of one label to the measured metrics, if `metric` is the F1 of a label.
    pub fn keep(&mut self, metric: Metric) {
        if metric.label_name().is_some() {
            self.set(metric, self.get(metric));
        }
    }

    /// Every measured metric with its value, in the order of [`Metric`]; NaN if it is undefined.
    pub fn values(&self) -> impl Iterator<Item = (Metric, f64)> {
        self.values.iter().map(|(metric, value)| (*metric, *value))
    }

    /// The metrics by which the results of one label for each row are shown.
    pub const HEADLINE_OF_LABEL: [Metric; 2] = [Metric::Accuracy, Metric::MacroF1];
    /// Those of sets of labels.
    pub const HEADLINE_OF_SET: [Metric; 2] = [Metric::MacroF1, Metric::MicroF1];
    /// Those of numbers.
    pub const HEADLINE_OF_NUMBERS: [Metric; 2] = [Metric::Rmse, Metric::R2];

    /// The metrics by which the results are shown where there is room for one or two.
    pub fn headline(&self) -> [Metric; 2] {
        match (self.is_measured(Metric::Rmse), self.is_measured(Metric::SubsetAccuracy)) {
            (true, _) => Self::HEADLINE_OF_NUMBERS,
            (false, true) => Self::HEADLINE_OF_SET,
            (false, false) => Self::HEADLINE_OF_LABEL,
        }
    }

    /// Metrics with their values: `accuracy 91.3%  macro-F1 90.8%  loss 0.2841`; first the one that `selects`, if it is not one of them.
    pub fn shown(&self, selects: Option<Metric>) -> String {
        let shown = |metric: &Metric| format!("{} {}", metric.name(), metric.text(self.get(*metric)));
        let [first, second] = self.headline();
        let usual = [first, second, Metric::Loss];
        let selects = selects.filter(|metric| !usual.contains(metric));
        selects.iter().chain(&usual).map(shown).collect::<Vec<_>>().join("  ")
    }

    /// The value of a metric as a score: higher is better.
    pub fn score(&self, metric: Metric) -> Score {
        metric.score(self.get(metric))
    }

    /// The number of rows predicted correctly: of sets of labels, those whose set is predicted exactly. 0 of numbers, which are not right or
    /// wrong.
    pub fn right(&self) -> u64 {
        // The share is a quotient of whole numbers.
        let exact = self.get(Metric::SubsetAccuracy) * self.rows as f64;
        if exact.is_nan() { self.confusion.right() } else { exact.round() as u64 }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scored;

    #[test]
    fn a_model_that_predicts_one_label_is_distinguished_from_a_split_that_has_one() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let of = |rows: &[(u32, u32)]| {
            let scored = |&(label, predicted)| Scored::of_label(label, (predicted, 0.5), &[], 0.7);
            Metrics::new(&names, rows.iter().map(scored))
        };
        assert_eq!(of(&[(0, 1), (1, 1), (1, 1)]).one_class(), Some(1));
        assert_eq!(of(&[(1, 1), (1, 1)]).one_class(), None);
        assert_eq!(of(&[(0, 0), (1, 1)]).one_class(), None);
        assert_eq!(of(&[]).one_class(), None);
        assert_eq!((of(&[(0, 1), (1, 1), (1, 1)]).right_if_always(1), of(&[]).right_if_always(9)), (2, 0));
    }

    /// The F1 of a label is known without being set, also of evaluations that earlier versions stored; 0/0 is undefined.
    #[test]
    fn the_f1_of_a_label_follows_from_the_counts() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let scored =
            [(0, 0), (0, 1), (1, 1)].map(|(label, predicted)| Scored::of_label(label, (predicted, 0.5), &[], 0.7));
        let mut metrics = Metrics::new(&names, scored);
        let f1 = |metrics: &Metrics| ["a", "b", "c", "d"].map(|label| metrics.get(Metric::f1_of(label)));
        let [a, b, c, d] = f1(&metrics);
        assert!(((a, b) == (2.0 / 3.0, 2.0 / 3.0)) && c.is_nan() && d.is_nan());
        for class in &mut metrics.per_class[2..] {
            (class.precision, class.recall) = (0.0, 0.0);
        }
        assert!(f1(&metrics)[2].is_nan() && !metrics.is_measured(Metric::f1_of("a")));
        for metric in [Metric::f1_of("a"), Metric::R2] {
            metrics.keep(metric);
            assert_eq!(metrics.is_measured(metric), metric != Metric::R2);
        }
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
