//! From a spec as written to runs as meant.
//!
//! [`expand()`] turns a spec and its sweep into [`PlannedRun`]s, each with a resolved [`RunConfig`]: the points of a grid, or
//! those that a search proposes. [`prune`] says which of them go on. [`run_key`] says which configs mean the same run.
//! [`schedule`] counts its steps, [`estimate()`] says what it will cost, and [`sanity`] what is odd about it. Everything here is a pure function: no file is opened
//! and nothing is measured.

mod budget;
mod changes;
mod config;
mod estimate;
mod expand;
mod key;
mod name;
mod planned;
pub mod prune;
mod resolve;
mod runs;
pub mod sanity;
pub mod schedule;
mod search;
mod shards;
#[cfg(test)]
mod testing;

pub use budget::Budget;
pub use changes::changes;
pub use config::*;
pub use estimate::{Estimate, Lengths, Machine, ModelShape, estimate};
pub use expand::{Expansion, MAX_POINTS, Past, expand};
pub use key::{CHANGES_NO_NUMBER, Digests, remove_key, run_key, search_key};
pub use planned::PlannedRun;
pub use prune::Prune;
pub use resolve::resolve;
pub use search::Proposal;
pub use shards::shards;

pub use crate::source::{Preset, Repository, Scratch, Source, SourceError, WebFile};

/// Why a spec makes no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A source that the key does not take.
    #[error("{key}: {reason}")]
    Source {
        /// Key of the spec.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A number beyond what its type, or a TOML file, can hold.
    #[error("{key} = {value} is too large; expected at most {max}")]
    TooLarge {
        /// Key of the spec.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The largest that is possible.
        max: u64,
    },
    /// AdamW has two moments, and so two decay rates.
    #[error("train.betas has {}; expected 2, such as [0.9, 0.999]", crate::format::counted(*found as u64, "number"))]
    Betas {
        /// How many there are.
        found: usize,
    },
    /// One key is in two axes of the sweep.
    #[error("sweep: `{key}` is swept more than once; keep it in one of axes, zip and seeds (seeds is `train.seed`)")]
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
    /// The keys of a zip have different numbers of values.
    #[error("sweep.zip: the lists of a zip must have the same length; found {found}")]
    UnevenZip {
        /// Each key with the number of its values.
        found: String,
    },
    /// A range where every value is to be taken.
    #[error("sweep: `{key}` is a range; a grid takes lists of values only: list them, or set sweep.search")]
    RangeInGrid {
        /// The key.
        key: String,
    },
    /// A search that does not say how many points it tries.
    #[error("sweep.search needs sweep.trials: how many points are tried")]
    NoTrials,
    /// More points than anyone means.
    #[error(
        "sweep: {count} points are more than the {} allowed; remove some values, or draw some of the points (sweep.search)",
        crate::format::count(MAX_POINTS)
    )]
    TooManyPoints {
        /// Points before exclusion, seeds included; "more than 2^64" where they cannot be counted.
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
