//! Curves of the training: which runs they show, what is averaged, and the charts.

mod average;
mod drawings;
mod evaluations;
mod select;
mod series;
mod steps;

pub use average::average;
pub use drawings::drawings;
pub use evaluations::{during_training, one_an_epoch};
pub use select::{Chosen, Drawn, MOST_TRIALS, chosen, is_whole};
pub use series::colours;
pub use steps::ended_early;
