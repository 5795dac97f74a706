//! Turns specs into runs.
//!
//! [`expand()`] turns a spec and its sweep into [`PlannedRun`]s, each with a resolved [`RunConfig`]: the points of a grid, or those
//! that a search proposes. [`prune`] decides which of them continue. [`run_key`] identifies equal runs. [`schedule`] counts steps,
//! [`estimate()`] predicts costs, and [`sanity`] finds probable mistakes. Everything here is a pure function: no file is opened and
//! nothing is measured.

mod advice;
mod at_fault;
mod budget;
mod changes;
mod config;
mod estimate;
mod expand;
mod key;
mod long_texts;
mod name;
mod planned;
pub(crate) mod promotions;
pub mod prune;
mod rates;
mod resolve;
pub mod rung_steps;
mod runs;
pub mod sanity;
pub mod schedule;
mod search;
#[cfg(test)]
mod testing;
mod weights_index;

pub use budget::{Allowed, Budget, Claim};
pub use changes::{Change, Settings, changes};
pub use config::*;
pub use estimate::{Estimate, Lengths, Machine, ModelShape, estimate};
pub use expand::{Expansion, MAX_POINTS, SearchHistory, expand};
pub use key::{CHANGES_NO_NUMBER, Digests, reduce_evaluations, remove_key, run_key, search_key};
pub use long_texts::{LongPolicy, LongTexts};
pub use planned::PlannedRun;
pub use promotions::{Batches, Promotions};
pub use prune::{Prune, Rung};
pub use rates::{RateGroup, Rates};
pub use resolve::resolve;
pub use rung_steps::RungSteps;
pub use search::Proposal;
pub use weights_index::shards;

pub use crate::source::{Preset, Repository, Scratch, Source, SourceError, WebFile};
pub use crate::spec::{
    closest,
    keys::{Fallback, find as key_of_spec},
};

/// Why a spec cannot be turned into runs.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A source that the key does not accept.
    #[error("{key}: {reason}")]
    Source {
        /// Key of the spec.
        key: &'static str,
        /// Why it is not accepted.
        reason: String,
    },
    /// A number that does not fit its type or a TOML file.
    #[error("{key} = {value} is too large; expected at most {max}")]
    TooLarge {
        /// Key of the spec.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The largest possible value.
        max: u64,
    },
    /// AdamW has two moments, and so two decay rates.
    #[error("train.betas has {}; expected 2, such as [0.9, 0.999]", crate::format::counted(*found as u64, "number"))]
    Betas {
        /// How many were given.
        found: usize,
    },
    /// A key is in two axes of the sweep.
    #[error(
        "sweep: `{key}` is swept more than once; keep it in only one of axes, zip and seeds (seeds varies \
         `train.seed`)"
    )]
    SweptTwice {
        /// The key.
        key: String,
    },
    /// An axis without values.
    #[error("sweep: {axis} has no values, so there is nothing to run; give it one, or remove it")]
    EmptyAxis {
        /// The axis, as the spec calls it.
        axis: String,
    },
    /// The lists of a zip have different lengths.
    #[error("sweep.zip: the lists of a zip must have the same length; found {found}")]
    UnevenZip {
        /// Each key with the number of its values.
        found: String,
    },
    /// A grid has a range.
    #[error("sweep: `{key}` is a range; a grid takes only lists of values: list the values, or set sweep.search")]
    RangeInGrid {
        /// The key.
        key: String,
    },
    /// A search does not set its number of points.
    #[error("sweep.search needs sweep.trials, the number of points to try")]
    NoTrials,
    /// More points than allowed.
    #[error(
        "sweep: {count} points are more than the {} allowed; remove some values, or draw some of the points (sweep.search)",
        crate::format::count(MAX_POINTS)
    )]
    TooManyPoints {
        /// Points before exclusion, including seeds; "more than 2^64" if they cannot be counted.
        count: String,
    },
    /// Every point is excluded.
    #[error(
        "sweep.exclude leaves out {}, so there is nothing to run; remove one of its tables",
        match points { 1 => "the only point".into(), points => format!("all {points} points") }
    )]
    NothingLeft {
        /// Points before exclusion.
        points: u64,
    },
}
