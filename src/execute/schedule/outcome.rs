//! The outcome of training the runs of a command.

use std::collections::HashSet;

use crate::plan::sanity::Tie;

/// Numbers of runs by how they ended or why they are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Completed in this command.
    pub completed: usize,
    /// Completed before.
    pub already_done: usize,
    /// Completed by another command meanwhile.
    pub done_elsewhere: usize,
    /// Failed in this command.
    pub failed: usize,
    /// Diverged before and skipped.
    pub diverged_before: usize,
    /// Pruned in this command.
    pub pruned: usize,
    /// Pruned before, or by another command, and skipped.
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
    /// Of the runs in the two counts above: those that wait at a rung for the runs that they are compared with.
    pub left_waiting: usize,
}

impl Tally {
    /// Whether none of the runs is left to be trained.
    pub fn is_over(&self) -> bool {
        self.stopped + self.elsewhere + self.waiting + self.not_started + self.beyond_budget + self.held == 0
    }

    /// Whether a request to stop left runs that would have been trained, begun or not.
    pub fn is_stopped(&self) -> bool {
        self.stopped + self.elsewhere + self.waiting + self.not_started > 0
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
        self.left_waiting += other.left_waiting;
    }
}

/// A skipped run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
    /// What else is known of that, which can be long: of a pruned run the reason of its sweep.
    pub because: Option<String>,
}

impl Skipped {
    /// Why, with what else is known of that.
    pub fn whole(&self) -> String {
        match &self.because {
            Some(because) => format!("{} ({because})", self.why),
            None => self.why.clone(),
        }
    }
}

/// The outcome of training runs. A search that learns trains them in batches: each call adds to the outcome of the calls before.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Numbers of runs by how they ended.
    pub tally: Tally,
    /// Skipped runs.
    pub skipped: Vec<Skipped>,
    /// Rungs at which the order of trials decided, at the end of the last call.
    pub ties: Vec<Tie>,
    /// Keys of ended runs: a later call does not check them again.
    pub(super) ended: HashSet<String>,
    /// Whether the user was informed that the command waits for runs of another process.
    pub(super) said_that_it_waits: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request to stop between two runs leaves none that has begun, and is one all the same.
    #[test]
    fn runs_that_were_not_begun_were_stopped_too() {
        let none = Tally::default;
        for tally in [
            Tally { stopped: 1, ..none() },
            Tally { elsewhere: 1, ..none() },
            Tally { waiting: 1, ..none() },
            Tally { completed: 4, not_started: 6, ..none() },
        ] {
            assert!(tally.is_stopped() && !tally.is_over(), "{tally:?}");
        }
        for tally in
            [Tally { completed: 2, failed: 1, ..none() }, Tally { beyond_budget: 1, held: 1, ..none() }, none()]
        {
            assert!(!tally.is_stopped(), "{tally:?}");
        }
    }
}
