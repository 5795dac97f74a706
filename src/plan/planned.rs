//! One run of an experiment.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunConfig;

/// The key that `sweep.seeds` sets.
pub(super) const SEED: &str = "train.seed";

/// The key that `sweep.folds` sets.
pub(super) const FOLD: &str = "data.fold";

/// One run of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// Number of its trial, from 0: runs of a trial differ only in `train.seed` and in the fold that they are
    /// tested on, and are compared as one.
    pub trial: usize,
    /// Its name, unique in the experiment: what is swept (`lr=2e-5 seed=3`), or the experiment's name.
    pub name: String,
    /// Swept keys and their values, in the order of the axes.
    pub point: Vec<(String, Value)>,
    /// Its resolved config.
    pub config: RunConfig,
}
