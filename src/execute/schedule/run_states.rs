//! The state of each run of a command. No other type stores it; decisions depend on these states and on scores.

use super::outcome::Tally;

/// The state of a run in this command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for a free slot, to begin or to resume from its checkpoint.
    Waiting,
    /// Has a checkpoint at the rung of this step, and continues when its trial is promoted.
    Paused { step: u64 },
    /// Stopped on request, with a checkpoint.
    Interrupted,
    /// Is trained in this slot.
    Running { slot: usize },
    /// Its worker in this slot has reported its end and is cleaning up.
    Closing { slot: usize, then: Then },
    /// Another process trains it.
    Elsewhere,
    /// Ended: this command does nothing more with it.
    Ended(End),
}

/// The next state of a run whose worker is cleaning up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// [`State::Waiting`].
    Waiting,
    /// [`State::Paused`].
    Paused { step: u64 },
    /// [`State::Interrupted`].
    Interrupted,
    /// [`State::Ended`].
    Ended(End),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::execute) enum End {
    /// Completed in this call.
    Completed,
    /// Was completed before this command.
    AlreadyDone,
    /// Completed by another process during this command.
    DoneElsewhere,
    /// Failed in this call; the next command tries it again.
    Failed,
    /// Diverged in this call.
    Diverged,
    /// Diverged before and is skipped.
    DivergedBefore,
    /// Pruned in this call.
    Pruned,
    /// Pruned before, or by another process.
    PrunedBefore,
    /// Its worker was stopped from outside, in a sweep without a pruning rule.
    Stopped,
    /// Ended in an earlier call of the same command.
    InEarlierCall { diverged: bool, pruned: bool },
}

impl End {
    /// Why a run that has ended so is not trained.
    pub(in crate::execute) fn why_left_out(self) -> &'static str {
        match self {
            Self::DivergedBefore => "diverged before and was skipped; --retry runs it again",
            Self::PrunedBefore => "pruned before and was skipped; --retry runs it to its end",
            _ => "completed before",
        }
    }
}

/// The states of all runs of a command, by their index in the plan.
#[derive(Debug, Clone)]
pub(super) struct RunStates(Vec<State>);

impl RunStates {
    /// The states of `runs` waiting runs.
    pub fn new(runs: usize) -> Self {
        Self(vec![State::Waiting; runs])
    }

    /// The indices of all runs.
    pub fn runs(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }

    /// Whether a run can begin, resume or be ended by this command.
    pub fn is_open(&self, run: usize) -> bool {
        matches!(self.0[run], State::Waiting | State::Paused { .. } | State::Interrupted)
    }

    /// Whether a run was stopped on request in this command.
    pub fn is_interrupted(&self, run: usize) -> bool {
        matches!(self.0[run], State::Interrupted | State::Closing { then: Then::Interrupted, .. })
    }

    /// Whether another process trains a run.
    pub fn is_elsewhere(&self, run: usize) -> bool {
        self.0[run] == State::Elsewhere
    }

    /// Whether a run is trained in a slot and has not reported its end.
    pub fn is_running(&self, run: usize) -> bool {
        matches!(self.0[run], State::Running { .. })
    }

    /// Whether a run diverged, which ends its trial.
    pub fn has_diverged(&self, run: usize) -> bool {
        let (State::Ended(end) | State::Closing { then: Then::Ended(end), .. }) = self.0[run] else { return false };
        matches!(end, End::Diverged | End::DivergedBefore | End::InEarlierCall { diverged: true, .. })
    }

    /// Whether a run has ended because its trial was pruned.
    pub fn was_pruned(&self, run: usize) -> bool {
        let State::Ended(end) = self.0[run] else { return false };
        matches!(end, End::Pruned | End::PrunedBefore | End::InEarlierCall { pruned: true, .. })
    }

    /// Runs that have not ended.
    pub fn left(&self) -> impl Iterator<Item = usize> + '_ {
        self.runs().filter(|&run| !matches!(self.0[run], State::Ended(_)))
    }

    /// Runs that have ended.
    pub fn ended(&self) -> impl Iterator<Item = usize> + '_ {
        self.runs().filter(|&run| matches!(self.0[run], State::Ended(_)))
    }

    /// The number of runs of this call by how they ended.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for state in &self.0 {
            let State::Ended(end) = state else { continue };
            *match end {
                End::Completed => &mut tally.completed,
                End::AlreadyDone => &mut tally.already_done,
                End::DoneElsewhere => &mut tally.done_elsewhere,
                End::Failed | End::Diverged => &mut tally.failed,
                End::DivergedBefore => &mut tally.diverged_before,
                End::Pruned => &mut tally.pruned,
                End::PrunedBefore => &mut tally.pruned_before,
                End::Stopped => &mut tally.stopped,
                End::InEarlierCall { .. } => continue,
            } += 1;
        }
        tally
    }

    /// A run begins or resumes in a slot.
    pub fn begin(&mut self, run: usize, slot: usize) {
        assert!(self.is_open(run), "run {run} is {:?} and begins in slot {slot}", self.0[run]);
        self.0[run] = State::Running { slot };
    }

    /// A run begins again in its slot, after it has reported that an attempt ended.
    pub fn begin_again(&mut self, run: usize) {
        if let State::Closing { slot, .. } = self.0[run] {
            self.0[run] = State::Running { slot };
        }
    }

    /// A run reports its end. If it reports several, the last counts.
    pub fn close(&mut self, run: usize, then: Then) {
        let (State::Running { slot } | State::Closing { slot, .. }) = self.0[run] else {
            panic!("run {run} is {:?} and reports its end", self.0[run]);
        };
        self.0[run] = State::Closing { slot, then };
    }

    /// A run leaves its slot. A run that reported no end had nothing to train.
    pub fn leave_slot(&mut self, run: usize) {
        self.0[run] = match self.0[run] {
            State::Running { .. } => State::Ended(End::AlreadyDone),
            State::Closing { then, .. } => match then {
                Then::Waiting => State::Waiting,
                Then::Paused { step } => State::Paused { step },
                Then::Interrupted => State::Interrupted,
                Then::Ended(end) => State::Ended(end),
            },
            state => panic!("run {run} is {state:?} and leaves its slot"),
        };
    }

    /// Updates the state of a run that is not in a slot: `elsewhere` is whether another process holds its lock.
    pub fn seen(&mut self, run: usize, elsewhere: bool) {
        match (self.is_open(run), elsewhere) {
            (true, false) => {}
            (false, _) if !self.is_elsewhere(run) => panic!("run {run} is {:?} and its lock was checked", self.0[run]),
            (_, true) => self.0[run] = State::Elsewhere,
            (_, false) => self.0[run] = State::Waiting,
        }
    }

    /// Ends a run that is not in a slot.
    pub fn end(&mut self, run: usize, end: End) {
        assert!(self.is_open(run) || self.is_elsewhere(run), "run {run} is {:?} and ends as {end:?}", self.0[run]);
        self.0[run] = State::Ended(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_changes_its_state_as_it_begins_pauses_and_ends() {
        let mut states = RunStates::new(2);
        assert_eq!(states.0, [State::Waiting; 2]);
        states.begin(1, 3);
        assert_eq!(states.0, [State::Waiting, State::Running { slot: 3 }]);
        assert_eq!((states.is_open(0), states.is_open(1), states.is_running(1)), (true, false, true));
        states.close(1, Then::Paused { step: 4 });
        assert_eq!(states.0[1], State::Closing { slot: 3, then: Then::Paused { step: 4 } });
        assert_eq!((states.is_open(1), states.is_running(1)), (false, false), "its worker is still cleaning up");
        states.leave_slot(1);
        assert_eq!((states.0[1], states.is_open(1)), (State::Paused { step: 4 }, true));
        states.begin(1, 0);
        states.close(1, Then::Interrupted);
        states.leave_slot(1);
        assert_eq!((states.0[1], states.is_open(1)), (State::Interrupted, true));
        states.begin(1, 0);
        states.close(1, Then::Waiting);
        states.leave_slot(1);
        assert_eq!(states.0[1], State::Waiting, "tried again");
        states.begin(1, 0);
        states.close(1, Then::Ended(End::Completed));
        assert_eq!(states.left().collect::<Vec<_>>(), [0, 1]);
        states.leave_slot(1);
        assert_eq!(states.0[1], State::Ended(End::Completed));
        assert_eq!((states.left().collect::<Vec<_>>(), states.ended().collect::<Vec<_>>()), (vec![0], vec![1]));
    }

    #[test]
    fn a_run_that_is_tried_again_where_it_failed_is_running() {
        let mut states = RunStates::new(1);
        states.begin(0, 2);
        states.begin_again(0);
        states.close(0, Then::Waiting);
        assert!(!states.is_running(0));
        states.begin_again(0);
        assert_eq!(states.0, [State::Running { slot: 2 }]);
    }

    #[test]
    fn a_run_whose_probes_were_scored_was_completed_before() {
        let mut states = RunStates::new(1);
        states.begin(0, 0);
        states.leave_slot(0);
        assert_eq!(states.0, [State::Ended(End::AlreadyDone)]);
    }

    #[test]
    fn a_run_of_another_process_waits_again_when_that_process_ends() {
        let mut states = RunStates::new(2);
        states.begin(1, 0);
        states.close(1, Then::Paused { step: 2 });
        states.leave_slot(1);
        states.seen(0, true);
        states.seen(1, false);
        assert_eq!(states.0, [State::Elsewhere, State::Paused { step: 2 }], "nothing changes without another process");
        assert_eq!((states.is_open(0), states.is_elsewhere(0)), (false, true));
        states.seen(0, true);
        states.seen(0, false);
        states.seen(1, true);
        assert_eq!(states.0, [State::Waiting, State::Elsewhere]);
        states.end(1, End::PrunedBefore);
        assert_eq!(states.0[1], State::Ended(End::PrunedBefore), "the other process ended it");
    }

    #[test]
    fn only_runs_that_diverged_end_their_trial() {
        let mut states = RunStates::new(1);
        states.begin(0, 0);
        states.close(0, Then::Ended(End::Diverged));
        assert!(states.has_diverged(0), "before its slot is free");
        for (end, diverged) in [
            (End::Diverged, true),
            (End::DivergedBefore, true),
            (End::InEarlierCall { diverged: true, pruned: false }, true),
            (End::InEarlierCall { diverged: false, pruned: true }, false),
            (End::Failed, false),
            (End::Completed, false),
            (End::Stopped, false),
        ] {
            let mut states = RunStates::new(1);
            assert!(!states.has_diverged(0));
            states.end(0, end);
            assert_eq!(states.has_diverged(0), diverged, "{end:?}");
        }
    }

    #[test]
    fn the_tally_counts_ends_of_this_call() {
        let mut states = RunStates::new(12);
        for (run, end) in [
            End::Completed,
            End::AlreadyDone,
            End::DoneElsewhere,
            End::Failed,
            End::Diverged,
            End::DivergedBefore,
            End::Pruned,
            End::PrunedBefore,
            End::Stopped,
            End::InEarlierCall { diverged: true, pruned: false },
        ]
        .into_iter()
        .enumerate()
        {
            states.end(run, end);
        }
        states.begin(10, 0);
        let want = Tally {
            completed: 1,
            already_done: 1,
            done_elsewhere: 1,
            failed: 2,
            diverged_before: 1,
            pruned: 1,
            pruned_before: 1,
            stopped: 1,
            ..Tally::default()
        };
        assert_eq!(states.tally(), want);
    }

    #[test]
    fn impossible_transitions_panic() {
        for wrong in [
            |states: &mut RunStates| states.begin(0, 1),
            |states: &mut RunStates| states.end(0, End::Pruned),
            |states: &mut RunStates| states.seen(0, true),
            |states: &mut RunStates| states.leave_slot(1),
            |states: &mut RunStates| states.close(1, Then::Waiting),
        ] {
            let mut states = RunStates::new(2);
            states.begin(0, 0);
            assert!(std::panic::catch_unwind(move || wrong(&mut states)).is_err());
        }
    }
}
