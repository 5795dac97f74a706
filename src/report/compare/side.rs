//! What is compared: runs and trials.

use crate::{report::RunInput, store::RunRecord};

/// The most sides of a comparison: each has a letter.
pub const MOST_SIDES: usize = 26;

/// A run, or a trial: runs that differ only in their seed and fold.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Its name: of a trial what its runs have in common.
    pub name: String,
    /// Its experiment.
    pub experiment: Option<String>,
    /// Whether it is a trial.
    pub is_trial: bool,
    /// The number of runs that it has when complete.
    pub planned: usize,
    /// Its runs, in the plan's order; at least one.
    pub runs: Vec<RunInput>,
    /// Whether it was named by its rank among trials that are ranked by the test rows.
    pub chosen_on_test: bool,
}

impl Side {
    /// A run.
    pub fn of_run(run: RunInput) -> Self {
        let (name, experiment) = (run.run.name.clone(), run.run.experiment.clone());
        Self { name, experiment, is_trial: false, planned: 1, runs: vec![run], chosen_on_test: false }
    }

    /// The records of its runs.
    pub(super) fn records(&self) -> impl Iterator<Item = &RunRecord> + Clone {
        self.runs.iter().map(|run| &run.run)
    }

    /// The number of folds, if it is a cross-validation.
    pub(super) fn folds(&self) -> Option<u32> {
        self.records().find_map(|run| run.config.data.fold).filter(|_| self.is_trial).map(|fold| fold.of())
    }
}

/// The letter of a side: A for the first.
pub fn letter(side: usize) -> char {
    char::from(b'A' + (side % MOST_SIDES) as u8)
}
