//! Metrics of predictions. Pure functions of labels, predictions and probabilities, or of numbers. A value that is undefined is NaN.

mod agreement;
mod brier;
mod classes;
mod confusion;
mod counts;
mod decision;
mod degenerate;
mod derived;
mod measured;
mod metric;
mod numbers;
#[cfg(test)]
mod oracle;
mod pooled;
mod probabilities;
mod ranged;
mod rank;
mod ranking;
mod score;
mod scored;
mod sets;
mod tally;
mod target;
mod wire;

pub use classes::ClassMetrics;
pub use confusion::Confusion;
pub use counts::Counts;
pub use decision::Decision;
pub use degenerate::Degenerate;
pub use measured::{Metrics, majority, majority_words};
pub use metric::{Better, Metric, MetricInfo, NamedLabel, Unit};
pub use numbers::spearman;
pub use probabilities::Probabilities;
pub use ranged::Ranged;
pub use rank::{RankKey, better_first, is_new_best};
pub use score::Score;
pub use scored::{Scored, argmax};
pub use tally::Tally;
pub use target::Target;
