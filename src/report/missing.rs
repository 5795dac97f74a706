//! Planned runs without a record: they were removed, and the next `taper run` trains them again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::report::language::{counted, tr};
use crate::{
    format::{
        by_number,
        names::{self, Common, common},
    },
    store::ExperimentRecord,
};

/// The planned runs that have no record.
#[derive(Debug, Default)]
pub struct Missing {
    /// How many there are.
    pub all: usize,
    /// Whether the plan's sweep prunes.
    prunes: bool,
    /// How many there are in each trial that has some.
    of_trial: HashMap<usize, usize>,
    /// The trial of each run with a record.
    trials: HashMap<String, usize>,
    /// The names of all runs of each trial.
    names: BTreeMap<usize, Vec<String>>,
}

impl Missing {
    /// The planned runs of an experiment whose keys are not in `stored`.
    pub fn of<'a>(experiment: &ExperimentRecord, stored: impl Iterator<Item = &'a str>) -> Self {
        let stored: HashSet<&str> = stored.collect();
        let mut missing = Self { prunes: experiment.prunes, ..Self::default() };
        let trials = experiment.trials.iter().copied().map(Some).chain(std::iter::repeat(None));
        for ((key, name), trial) in experiment.runs.iter().zip(trials) {
            trial.into_iter().for_each(|trial| missing.names.entry(trial).or_default().push(name.clone()));
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

    /// The trials that these runs belong to.
    fn trials<'a>(&self, keys: impl Iterator<Item = &'a str>) -> BTreeSet<usize> {
        keys.filter_map(|key| self.trials.get(key).copied()).collect()
    }

    /// How many runs are missing from the trial that these belong to.
    pub fn beside<'a>(&self, keys: impl Iterator<Item = &'a str>) -> usize {
        self.trials(keys).iter().filter_map(|trial| self.of_trial.get(trial)).sum()
    }

    /// Whether the plan has the trial that these runs belong to on every fold, as names of its runs say: those of a single fold
    /// (`data.fold`), which all runs have in common, do not name it.
    pub(super) fn has_folds<'a>(&self, keys: impl Iterator<Item = &'a str>) -> bool {
        let trials = self.trials(keys);
        let names = trials.iter().filter_map(|trial| self.names.get(trial)).flatten();
        names.into_iter().any(|name| names::value(name, names::FOLD).is_some())
    }

    /// The name of the trial that these runs belong to, if runs of it are missing. `several`: the plan has more than one trial.
    pub(super) fn name<'a>(&self, keys: impl Iterator<Item = &'a str>, several: bool) -> Option<Common> {
        let trials = self.trials(keys);
        let misses = trials.iter().any(|trial| self.of_trial.contains_key(trial));
        let names: Vec<&str> =
            trials.iter().filter_map(|trial| self.names.get(trial)).flatten().map(String::as_str).collect();
        misses.then(|| common(&names, several))
    }

    /// The names of the trials without any record.
    pub(super) fn whole_trials(&self) -> Vec<String> {
        let several = self.names.len() > 1;
        let gone = self.names.iter().filter(|(trial, names)| self.of_trial.get(trial) == Some(&names.len()));
        gone.map(|(_, names)| common(&names.iter().map(String::as_str).collect::<Vec<_>>(), several).to_string())
            .collect()
    }

    /// A sentence about them, without a full stop; `None` if there are none. `run` is the command that trains them.
    pub fn note(&self, run: &str) -> Option<String> {
        let n = self.all;
        (n > 0).then(|| {
            tr!(
                "{} {} no record, because {} removed: `{run}` {}",
                counted(n as u64, "planned run"),
                by_number(n as u64, "has", "have"),
                by_number(n as u64, "it was", "they were"),
                trained_again(n, self.prunes)
            ; "{}没有记录，因为它们已被删除：`{run}` {}", counted(n as u64, "planned run"), trained_again(n, self.prunes))
        })
    }
}

/// What `taper run` does with `n` removed runs: `trains it again`. If the sweep prunes, they are compared with all runs that exist by
/// then, some of which may not have existed the first time.
pub fn trained_again(n: usize, prunes: bool) -> String {
    let them = by_number(n as u64, "it", "them");
    match prunes {
        false => tr!("trains {them} again"; "会重新训练它们"),
        true => tr!(
            "trains {them} again, compares {them} again with the existing runs and may prune {them} (with --retry it trains pruned \
             runs to the end)"
        ; "会重新训练它们，再与已有的运行比较，并可能将其剪枝（加 --retry 则把被剪枝的运行训练到底）"),
    }
}
