//! What the hub calls metrics: the names of the `evaluate` library.

use super::yaml::Yaml;
use crate::metrics::Metric;

/// The id of a metric, and the arguments with which `evaluate` computes it; `None` of metrics that it does not have.
pub(super) fn of(metric: Metric) -> Option<(&'static str, Option<(&'static str, Yaml)>)> {
    let average = |of: &str| Some(("average", Yaml::text(of)));
    Some(match metric {
        Metric::Accuracy | Metric::SubsetAccuracy => ("accuracy", None),
        Metric::MacroF1 => ("f1", average("macro")),
        Metric::MicroF1 => ("f1", average("micro")),
        Metric::WeightedF1 => ("f1", average("weighted")),
        Metric::SamplesF1 => ("f1", average("samples")),
        Metric::MacroPrecision => ("precision", average("macro")),
        Metric::MicroPrecision => ("precision", average("micro")),
        Metric::WeightedPrecision => ("precision", average("weighted")),
        Metric::SamplesPrecision => ("precision", average("samples")),
        Metric::MacroRecall => ("recall", average("macro")),
        Metric::MicroRecall => ("recall", average("micro")),
        Metric::WeightedRecall => ("recall", average("weighted")),
        Metric::SamplesRecall => ("recall", average("samples")),
        Metric::Mcc => ("matthews_correlation", None),
        Metric::RocAuc => ("roc_auc", None),
        Metric::Mse => ("mse", None),
        Metric::Rmse => ("mse", Some(("squared", Yaml::Bool(false)))),
        Metric::Mae => ("mae", None),
        Metric::R2 => ("r_squared", None),
        Metric::Pearson => ("pearsonr", None),
        Metric::Spearman => ("spearmanr", None),
        Metric::Loss
        | Metric::CalibrationError
        | Metric::BalancedAccuracy
        | Metric::HammingLoss
        | Metric::QuadraticKappa
        | Metric::AveragePrecision
        | Metric::Brier
        | Metric::F1Of(_) => return None,
    })
}
