//! What is compared: runs and trials.

use crate::{event::Split, report::RunInput, store::RunRecord};

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
    /// The split by whose rows it was chosen, if it was named by its rank among several trials, or is the best of them.
    pub chosen_by: Option<Split>,
    /// The command that trains its runs, or continues them.
    pub again: String,
}

impl Side {
    /// A run, trained by `taper run SPEC`.
    pub fn of_run(run: RunInput) -> Self {
        let (name, experiment) = (run.run.name.clone(), run.run.experiment.clone());
        let again = "taper run SPEC".into();
        Self { name, experiment, is_trial: false, planned: 1, runs: vec![run], chosen_by: None, again }
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
