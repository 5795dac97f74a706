//! Metrics of a classifier's predictions. Pure functions of labels, predictions and probabilities.

mod agreement;
pub mod brier;
mod confusion;
mod counts;
mod degenerate;
mod measured;
mod metric;
mod numbers;
#[cfg(test)]
mod oracle;
mod probabilities;
mod rank;
mod ranking;
mod sets;
mod wire;

pub use confusion::Confusion;
pub use counts::{Average, Counts};
pub use degenerate::Degenerate;
pub use measured::{ClassMetrics, Metrics, Scored, Tally, argmax, majority, majority_words};
pub use metric::{Better, Metric, MetricInfo, Score, Unit};
pub use numbers::{Column, Errors, spearman};
pub use probabilities::Probabilities;
pub use rank::{RankKey, better_first, is_new_best};
pub use ranking::Ranking;
pub use sets::Sets;
