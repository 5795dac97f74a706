//! Metrics of a classifier's predictions. Pure functions of labels, predictions and probabilities.

mod confusion;
mod degenerate;
mod measured;
mod metric;
mod probabilities;
mod rank;
mod wire;

pub use confusion::Confusion;
pub use degenerate::Degenerate;
pub use measured::{ClassMetrics, Metrics, Scored, Tally, argmax, majority, majority_words};
pub use metric::{Better, Metric, MetricInfo, Score, Unit};
pub use probabilities::Probabilities;
pub use rank::{RankKey, better_first, is_new_best};
