//! The metrics that follow from counts.

use super::{
    Metric,
    confusion::Confusion,
    counts::{Average, Counts},
};

/// Those of labels that exclude each other.
pub(super) fn of_confusion(confusion: &Confusion) -> Vec<(Metric, f64)> {
    let mut values = vec![
        (Metric::Accuracy, confusion.right() as f64 / confusion.rows() as f64),
        (Metric::BalancedAccuracy, confusion.balanced_accuracy()),
        (Metric::Mcc, confusion.mcc()),
        (Metric::QuadraticKappa, confusion.quadratic_kappa()),
    ];
    values.extend(of_counts(&confusion.counts()));
    values
}

/// The averages of precision, recall and F1.
pub(super) fn of_counts(labels: &[Counts]) -> [(Metric, f64); 9] {
    use Average::{Macro, Micro, Weighted};
    [
        (Metric::MicroPrecision, Micro.of(labels, Counts::precision)),
        (Metric::MicroRecall, Micro.of(labels, Counts::recall)),
        (Metric::MicroF1, Micro.of(labels, Counts::f1)),
        (Metric::MacroPrecision, Macro.of(labels, Counts::precision)),
        (Metric::MacroRecall, Macro.of(labels, Counts::recall)),
        (Metric::MacroF1, Macro.of(labels, Counts::f1)),
        (Metric::WeightedPrecision, Weighted.of(labels, Counts::precision)),
        (Metric::WeightedRecall, Weighted.of(labels, Counts::recall)),
        (Metric::WeightedF1, Weighted.of(labels, Counts::f1)),
    ]
}
