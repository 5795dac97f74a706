//! The state of each run of a command. No other type has it: what is decided depends on these states and on scores.

use super::outcome::Tally;

/// The state of a run, as far as this command is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Begins, or continues from its checkpoint, when a slot is free for it.
    Waiting,
    /// Has a checkpoint at the rung after this step, and continues when its trial is let past that.
    Paused { step: u64 },
    /// Stopped on request, with a checkpoint.
    Interrupted,
    /// In this slot.
    Running { slot: usize },
    /// Its worker in this slot has reported its end and tidies up after it.
    Closing { slot: usize, then: Then },
    /// Another process trains it.
    Elsewhere,
    /// This command does nothing more with it.
    Ended(End),
}

/// The state of a run once its worker has tidied up after it.
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
pub(super) enum End {
    /// Trained to its last step now.
    Completed,
    /// Was completed before.
    AlreadyDone,
    /// Was completed by another process meanwhile.
    DoneElsewhere,
    /// Failed now, and may do better the next time.
    Failed,
    /// Diverged now.
    Diverged,
    /// Diverged before, and is left out.
    DivergedBefore,
    /// Ended now by the sweep's rule.
    Pruned,
    /// Ended by the sweep's rule before, or by another process.
    PrunedBefore,
    /// Its worker alone was told to stop, where no other run is compared with it.
    Stopped,
    /// In an earlier call of the same command.
    InEarlierCall { diverged: bool },
}

/// All runs of a command, by their position in the plan.
#[derive(Debug, Clone)]
pub(super) struct Board(Vec<State>);

impl Board {
    /// All of them waiting.
    pub fn new(runs: usize) -> Self {
        Self(vec![State::Waiting; runs])
    }

    /// All runs.
    pub fn runs(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }

    /// Whether a run may begin or continue here, or be ended.
    pub fn is_open(&self, run: usize) -> bool {
        matches!(self.0[run], State::Waiting | State::Paused { .. } | State::Interrupted)
    }

    /// Whether a run was stopped on request in this command.
    pub fn is_interrupted(&self, run: usize) -> bool {
        matches!(self.0[run], State::Interrupted | State::Closing { then: Then::Interrupted, .. })
    }

    /// Whether another process is at a run.
    pub fn is_elsewhere(&self, run: usize) -> bool {
        self.0[run] == State::Elsewhere
    }

    /// Whether a run is in a slot and has not reported its end.
    pub fn is_running(&self, run: usize) -> bool {
        matches!(self.0[run], State::Running { .. })
    }

    /// Whether a run ended without a result: its trial is out.
    pub fn has_diverged(&self, run: usize) -> bool {
        let (State::Ended(end) | State::Closing { then: Then::Ended(end), .. }) = self.0[run] else { return false };
        matches!(end, End::Diverged | End::DivergedBefore | End::InEarlierCall { diverged: true })
    }

    /// Runs that are not ended.
    pub fn left(&self) -> impl Iterator<Item = usize> + '_ {
        self.runs().filter(|&run| !matches!(self.0[run], State::Ended(_)))
    }

    /// Runs that are ended.
    pub fn ended(&self) -> impl Iterator<Item = usize> + '_ {
        self.runs().filter(|&run| matches!(self.0[run], State::Ended(_)))
    }

    /// How many runs ended how in this call.
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

    /// A slot begins a run or continues it.
    pub fn begin(&mut self, run: usize, slot: usize) {
        assert!(self.is_open(run), "run {run} is {:?} and begins in slot {slot}", self.0[run]);
        self.0[run] = State::Running { slot };
    }

    /// A run reports its end. Where it does so again, the last counts.
    pub fn close(&mut self, run: usize, then: Then) {
        let (State::Running { slot } | State::Closing { slot, .. }) = self.0[run] else {
            panic!("run {run} is {:?} and reports its end", self.0[run]);
        };
        self.0[run] = State::Closing { slot, then };
    }

    /// The slot of a run is free again. One that reported no end had nothing to train.
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

    /// What a look at the lock of a run that is not in a slot shows: whether another process is at it.
    pub fn seen(&mut self, run: usize, elsewhere: bool) {
        match (self.is_open(run), elsewhere) {
            (true, false) => {}
            (false, _) if !self.is_elsewhere(run) => panic!("run {run} is {:?} and is looked for", self.0[run]),
            (_, true) => self.0[run] = State::Elsewhere,
            (_, false) => self.0[run] = State::Waiting,
        }
    }

    /// Ends a run that is in no slot.
    pub fn end(&mut self, run: usize, end: End) {
        assert!(self.is_open(run) || self.is_elsewhere(run), "run {run} is {:?} and ends as {end:?}", self.0[run]);
        self.0[run] = State::Ended(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_from_state_to_state() {
        let mut board = Board::new(2);
        assert_eq!(board.0, [State::Waiting; 2]);
        board.begin(1, 3);
        assert_eq!(board.0, [State::Waiting, State::Running { slot: 3 }]);
        assert_eq!((board.is_open(0), board.is_open(1), board.is_running(1)), (true, false, true));
        board.close(1, Then::Paused { step: 4 });
        assert_eq!(board.0[1], State::Closing { slot: 3, then: Then::Paused { step: 4 } });
        assert_eq!((board.is_open(1), board.is_running(1)), (false, false), "its worker is not done with it");
        board.leave_slot(1);
        assert_eq!((board.0[1], board.is_open(1)), (State::Paused { step: 4 }, true));
        board.begin(1, 0);
        board.close(1, Then::Interrupted);
        board.leave_slot(1);
        assert_eq!((board.0[1], board.is_open(1)), (State::Interrupted, true));
        board.begin(1, 0);
        board.close(1, Then::Waiting);
        board.leave_slot(1);
        assert_eq!(board.0[1], State::Waiting, "tried again");
        board.begin(1, 0);
        board.close(1, Then::Ended(End::Completed));
        assert_eq!(board.left().collect::<Vec<_>>(), [0, 1]);
        board.leave_slot(1);
        assert_eq!(board.0[1], State::Ended(End::Completed));
        assert_eq!((board.left().collect::<Vec<_>>(), board.ended().collect::<Vec<_>>()), (vec![0], vec![1]));
    }

    #[test]
    fn a_slot_that_only_scored_probes_leaves_a_run_that_was_done() {
        let mut board = Board::new(1);
        board.begin(0, 0);
        board.leave_slot(0);
        assert_eq!(board.0, [State::Ended(End::AlreadyDone)]);
    }

    #[test]
    fn a_run_of_another_process_comes_back_when_that_process_leaves_it() {
        let mut board = Board::new(2);
        board.begin(1, 0);
        board.close(1, Then::Paused { step: 2 });
        board.leave_slot(1);
        board.seen(0, true);
        board.seen(1, false);
        assert_eq!(board.0, [State::Elsewhere, State::Paused { step: 2 }], "a look that finds nobody changes nothing");
        assert_eq!((board.is_open(0), board.is_elsewhere(0)), (false, true));
        board.seen(0, true);
        board.seen(0, false);
        board.seen(1, true);
        assert_eq!(board.0, [State::Waiting, State::Elsewhere]);
        board.end(1, End::PrunedBefore);
        assert_eq!(board.0[1], State::Ended(End::PrunedBefore), "the other process ended it");
    }

    #[test]
    fn only_runs_without_a_result_have_diverged() {
        let mut board = Board::new(1);
        board.begin(0, 0);
        board.close(0, Then::Ended(End::Diverged));
        assert!(board.has_diverged(0), "before its slot is free");
        for (end, diverged) in [
            (End::Diverged, true),
            (End::DivergedBefore, true),
            (End::InEarlierCall { diverged: true }, true),
            (End::InEarlierCall { diverged: false }, false),
            (End::Failed, false),
            (End::Completed, false),
            (End::Stopped, false),
        ] {
            let mut board = Board::new(1);
            assert!(!board.has_diverged(0));
            board.end(0, end);
            assert_eq!(board.has_diverged(0), diverged, "{end:?}");
        }
    }

    #[test]
    fn the_tally_counts_ends_of_this_call() {
        let mut board = Board::new(12);
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
            End::InEarlierCall { diverged: true },
        ]
        .into_iter()
        .enumerate()
        {
            board.end(run, end);
        }
        board.begin(10, 0);
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
        assert_eq!(board.tally(), want);
    }

    #[test]
    fn what_cannot_be_is_not_taken_for_something_else() {
        for wrong in [
            |board: &mut Board| board.begin(0, 1),
            |board: &mut Board| board.end(0, End::Pruned),
            |board: &mut Board| board.seen(0, true),
            |board: &mut Board| board.leave_slot(1),
            |board: &mut Board| board.close(1, Then::Waiting),
        ] {
            let mut board = Board::new(2);
            board.begin(0, 0);
            assert!(std::panic::catch_unwind(move || wrong(&mut board)).is_err());
        }
    }
}
