//! Metrics of a classifier's predictions. Pure functions of labels, predictions and probabilities.

mod always;
mod confusion;
mod measured;
mod metric;
mod probabilities;
mod rank;
mod wire;

pub use always::NoResult;
pub use confusion::Confusion;
pub use measured::{ClassMetrics, Metrics, Scored, argmax, is_tied, majority, majority_words};
pub use metric::{Better, Metric, MetricInfo, Score, Unit};
pub use probabilities::Probabilities;
pub use rank::{Judged, better_first, is_new_best};
