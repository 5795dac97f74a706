//! How much of a plan has ended. Until all of it has, its best trial is only the best so far.

use super::language::{counted, tr};
use crate::store::{ExperimentRecord, RunRecord, RunState};

/// The runs of a plan, those that a search has yet to propose and those without a record included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// All of them.
    pub planned: usize,
    /// Those that are completed.
    pub completed: usize,
    /// Those that the sweep's rule ended.
    pub pruned: usize,
}

impl Progress {
    /// The progress of an experiment's plan, given the records of its runs.
    pub fn of<'a>(experiment: &ExperimentRecord, runs: impl Iterator<Item = &'a RunRecord>) -> Self {
        let mut progress = Self::of_runs(runs);
        progress.planned = progress.planned.max(experiment.runs.len()) + experiment.to_come;
        progress
    }

    /// The progress of a plan that has these runs only.
    pub(super) fn of_runs<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> Self {
        runs.fold(Self::default(), |progress, run| Self {
            planned: progress.planned + 1,
            completed: progress.completed + usize::from(run.state == RunState::Completed),
            pruned: progress.pruned + usize::from(run.state == RunState::Pruned),
        })
    }

    /// Whether each run is completed or was ended by the sweep's rule, so that none can still change which trial is the best. A run that
    /// failed can: its trial might have been better.
    pub fn has_all(&self) -> bool {
        self.completed + self.pruned >= self.planned
    }

    /// `5 of 12 runs completed`, `5 of 12 runs completed, 3 pruned`.
    pub fn text(&self) -> String {
        let of = counted(self.planned as u64, "run");
        let completed = tr!("{} of {of} completed", "{of}中已完成 {} 次", self.completed);
        match self.pruned {
            0 => completed,
            pruned => tr!("{completed}, {pruned} pruned", "{completed}，被剪枝 {pruned} 次"),
        }
    }

    /// The mark of the best trial in a table.
    pub fn mark(&self) -> &'static str {
        if self.has_all() { tr("best", "最佳") } else { best_so_far() }
    }

    /// What the best of several trials is called at the start of a line: `best trial`, or `best so far (5 of 12 runs completed)`.
    pub fn heading(&self) -> String {
        if self.has_all() { tr("best trial", "最佳试验").into() } else { self.with_text(best_so_far()) }
    }

    /// The same within a sentence: `the best trial`, or `the best trial so far (5 of 12 runs completed)`.
    pub fn best_trial_in_full(&self) -> String {
        if self.has_all() { self.best_trial().into() } else { self.with_text(self.best_trial()) }
    }

    fn with_text(&self, what: &str) -> String {
        tr!("{what} ({})", "{what}（{}）", self.text())
    }

    /// What the best of several trials is called within a sentence.
    pub(super) fn best_trial(&self) -> &'static str {
        if self.has_all() {
            tr("the best trial", "最佳试验")
        } else {
            tr("the best trial so far", "目前最佳试验")
        }
    }
}

/// What the best of several trials is called while others may still become better.
pub fn best_so_far() -> &'static str {
    tr("best so far", "目前最佳")
}
