//! What a sweep says beyond its ranking: the effect of each axis, which axes matter, what the budget brought, and what ended early and why.
//!
//! A trial counts once, with the mean over its seeds or folds. Trials that were pruned are never among those that count: their last value is
//! of an earlier part of training.

mod anova;
mod axes;
mod budget;
mod chance;
mod effects;
mod ended;
mod forest;
mod from_search;
mod importance;
mod pairs;
mod pictures;
mod points;
mod study;
mod tables;

pub use axes::{Axis, Scale};
pub use budget::Budget;
pub use chance::Against;
pub use ended::{FailureGroup, PrunedGroup, PrunedTrial, RungRank, failures};
pub use forest::TREES;
pub use from_search::{may_be_drawn, may_be_proposed};
pub use importance::{How, Importance};
pub use pictures::drawings;

pub use study::Sweep;
pub use tables::tables;
