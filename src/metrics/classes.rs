//! The metrics of each label.

use serde::{Deserialize, Deserializer, Serialize};

use super::{confusion::Confusion, counts::Counts, ranking::Ranking};

/// Metrics of one class. Undefined values are NaN, in JSON `null`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClassMetrics {
    /// Name of the label.
    pub label: String,
    /// Share (0 to 1) of the rows predicted as this class that belong to it; NaN if none is predicted as it. Earlier versions
    /// stored 0 then.
    #[serde(deserialize_with = "or_nan")]
    pub precision: f64,
    /// Share (0 to 1) of the class's rows that are predicted as it; NaN if it has no rows. Earlier versions stored 0 then.
    #[serde(deserialize_with = "or_nan")]
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 if no row is predicted correctly as it.
    pub f1: f64,
    /// The number of rows of the class.
    pub support: u64,
    /// Of sets of labels: the number of rows that are predicted to have it. Of one label the confusion matrix has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<u64>,
    /// Of sets of labels: its average precision (0 to 1), NaN if it has no rows; `None` if it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_or_nan")]
    pub average_precision: Option<f64>,
}

impl PartialEq for ClassMetrics {
    /// NaN equals NaN.
    fn eq(&self, other: &Self) -> bool {
        let Self { label, precision, recall, f1, support, predicted, average_precision } = self;
        let ranked = [*average_precision, other.average_precision];
        (label, support, predicted) == (&other.label, &other.support, &other.predicted)
            && same(*precision, other.precision)
            && same(*recall, other.recall)
            && same(*f1, other.f1)
            && ranked[0].is_some() == ranked[1].is_some()
            && same(ranked[0].unwrap_or(0.0), ranked[1].unwrap_or(0.0))
    }
}

impl ClassMetrics {
    /// Its F1 as [`Metric::F1Of`](super::Metric::F1Of) defines it: NaN if the label is neither in the rows nor in the predictions.
    pub(super) fn f1_if_it_occurs(&self) -> f64 {
        if self.precision.is_nan() && self.recall.is_nan() { f64::NAN } else { self.f1 }
    }

    /// The counts that it was computed from, if they are known.
    pub(super) fn counts(&self) -> Option<Counts> {
        let right = if self.support == 0 { 0.0 } else { (self.recall * self.support as f64).round() };
        Some(Counts { right: right as u64, predicted: self.predicted?, support: self.support })
    }
}

/// Whether two values are equal; NaN equals NaN.
pub(super) fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// JSON has no NaN: it is read from `null`.
pub(super) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn some_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    or_nan(deserializer).map(Some)
}

/// The metrics of each class of a confusion matrix.
pub(super) fn per_class<'a>(names: impl IntoIterator<Item = &'a String>, confusion: &Confusion) -> Vec<ClassMetrics> {
    names.into_iter().zip(confusion.counts()).map(|(name, counts)| of(name, counts)).collect()
}

/// The metrics of each label of sets of labels.
pub(super) fn per_label<'a>(
    names: impl IntoIterator<Item = &'a String>,
    counts: &[Counts],
    rankings: Option<&[Ranking]>,
) -> Vec<ClassMetrics> {
    let ranked = |id: usize| rankings.and_then(|rankings| Some(rankings.get(id)?.average_precision));
    let of_label = |(id, (name, counts)): (usize, (&String, &Counts))| ClassMetrics {
        predicted: Some(counts.predicted),
        average_precision: ranked(id),
        ..of(name, *counts)
    };
    names.into_iter().zip(counts).enumerate().map(of_label).collect()
}

fn of(name: &str, counts: Counts) -> ClassMetrics {
    ClassMetrics {
        label: name.to_owned(),
        precision: counts.precision(),
        recall: counts.recall(),
        f1: if counts.occurs() { counts.f1() } else { 0.0 },
        support: counts.support,
        predicted: None,
        average_precision: None,
    }
}
