//! What came of runs.

use std::collections::HashSet;

/// How many runs ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Trained to the end now.
    pub completed: usize,
    /// Were done before.
    pub already_done: usize,
    /// Trained to the end by another command meanwhile.
    pub done_elsewhere: usize,
    /// Ended by a failure now.
    pub failed: usize,
    /// Diverged before, and left out.
    pub diverged_before: usize,
    /// Ended before their time by the sweep's rule now.
    pub pruned: usize,
    /// Pruned before, or by another command, and left out.
    pub pruned_before: usize,
    /// Not ended, because of a request to stop.
    pub stopped: usize,
    /// Trained by another command at the time of a request to stop.
    pub elsewhere: usize,
    /// Waiting at a rung for the runs that they are compared with, because of a request to stop.
    pub waiting: usize,
    /// Not begun, because of a request to stop.
    pub not_started: usize,
    /// Not begun or not ended, because the sweep's budget is spent.
    pub beyond_budget: usize,
    /// Not ended, because they are compared together with a run that failed.
    pub held: usize,
}

impl Tally {
    /// Whether none of the runs is left to be trained.
    pub fn is_over(&self) -> bool {
        self.stopped + self.elsewhere + self.waiting + self.not_started + self.beyond_budget + self.held == 0
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.completed += other.completed;
        self.already_done += other.already_done;
        self.done_elsewhere += other.done_elsewhere;
        self.failed += other.failed;
        self.diverged_before += other.diverged_before;
        self.pruned += other.pruned;
        self.pruned_before += other.pruned_before;
        self.stopped += other.stopped;
        self.elsewhere += other.elsewhere;
        self.waiting += other.waiting;
        self.not_started += other.not_started;
        self.beyond_budget += other.beyond_budget;
        self.held += other.held;
    }
}

/// A run that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What came of runs. A search that learns trains them in batches: each call adds to what the calls before it returned.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many ended how.
    pub tally: Tally,
    /// Runs that were left out.
    pub skipped: Vec<Skipped>,
    /// Rungs (from 0) at which all trials have the same score, with the number of these trials: as the last call left it.
    pub undecided: Vec<(usize, usize)>,
    /// Keys of runs that are ended: a later call does not look into them again.
    pub(super) ended: HashSet<String>,
    /// Whether the user was told that runs are waited for.
    pub(super) said_that_it_waits: bool,
}
