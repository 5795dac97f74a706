//! Runs of a plan that have no record: they were removed, and the next `taper run` trains them.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    format::{by_number, counted},
    store::ExperimentRecord,
};

/// The runs of a plan that have no record.
#[derive(Debug, Default)]
pub struct Missing {
    /// How many there are.
    pub all: usize,
    /// How many there are of each trial that has some.
    of_trial: HashMap<usize, usize>,
    /// The trial of each run that has a record.
    trials: HashMap<String, usize>,
}

impl Missing {
    /// Those of an experiment that are not among the keys that are `stored`.
    pub fn of<'a>(experiment: &ExperimentRecord, stored: impl Iterator<Item = &'a str>) -> Self {
        let stored: HashSet<&str> = stored.collect();
        let mut missing = Self::default();
        let trials = experiment.trials.iter().copied().map(Some).chain(std::iter::repeat(None));
        for ((key, _), trial) in experiment.runs.iter().zip(trials) {
            match (stored.contains(key.as_str()), trial) {
                (true, Some(trial)) => _ = missing.trials.insert(key.clone(), trial),
                (true, None) => {}
                (false, trial) => {
                    missing.all += 1;
                    trial.into_iter().for_each(|trial| *missing.of_trial.entry(trial).or_default() += 1);
                }
            }
        }
        missing
    }

    /// How many runs are missing of the trial that these belong to.
    pub fn beside<'a>(&self, keys: impl Iterator<Item = &'a str>) -> usize {
        let trials: BTreeSet<usize> = keys.filter_map(|key| self.trials.get(key).copied()).collect();
        trials.iter().filter_map(|trial| self.of_trial.get(trial)).sum()
    }

    /// The same in a sentence without a full stop; nothing where there is none.
    pub fn note(&self) -> Option<String> {
        let n = self.all as u64;
        (n > 0).then(|| {
            format!(
                "{} {} no record, for {} removed: `taper run SPEC` trains {}",
                counted(n, "planned run"),
                by_number(n, "has", "have"),
                by_number(n, "it was", "they were"),
                by_number(n, "it", "them")
            )
        })
    }
}
