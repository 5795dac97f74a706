//! Trains the runs of a command: fills free slots, answers workers, and follows from each end what comes next.

use std::{collections::HashMap, time::Duration};

use super::{
    board::{Board, End, Then},
    decide::{Item, Sweep},
    options::SchedulerOptions,
    others::Others,
    outcome::{Outcome, Skipped},
    records::{Records, Todo},
    retry::{Attempts, Failure, RetryPolicy},
    slots::Slots,
    spending::Spending,
};
use crate::{
    event::{self, Event, FailureKind, Split, When},
    execute::{
        ExecuteError,
        executor::{Executor, News},
        protocol::{Order, Report, Work},
    },
    metrics::Metric,
    plan::{Prune, prune::rungs},
    store::{RunLock, RunRecord, RunState},
};

/// Between looks at the request to stop.
const TICK: Duration = Duration::from_millis(100);

/// Drives an executor. A run that fails does not keep the others from being trained; one that another process is at is waited
/// for, and trained here if that process does not end it.
pub(in crate::execute) struct Scheduler<'a> {
    options: &'a SchedulerOptions<'a>,
    records: Records<'a>,
    // Before the locks: workers end before their runs are free for other processes.
    executor: Box<dyn Executor + 'a>,
    /// Of the runs in slots.
    locks: HashMap<usize, RunLock>,
    board: Board,
    slots: Slots,
    sweep: Sweep,
    retry: RetryPolicy,
    attempts: Vec<Attempts>,
    spending: Spending,
    others: Others<'a>,
    /// Whether a run was stopped from outside that others are compared with: nothing is decided without it.
    halted: bool,
    outcome: Outcome,
}

impl<'a> Scheduler<'a> {
    /// For the runs of `records`. `before` is what earlier calls with other runs of the same experiment returned.
    pub fn new(
        options: &'a SchedulerOptions<'a>,
        records: Records<'a>,
        executor: Box<dyn Executor + 'a>,
        others: Others<'a>,
        before: Outcome,
    ) -> Result<Self, ExecuteError> {
        let runs = records.runs();
        let items = runs
            .iter()
            .map(|run| Item::new(run.trial, rungs(&options.prune, &run.config.train, run.splits.train.len() as u64)));
        let metric = runs.first().map_or(Metric::Accuracy, |run| run.config.checkpoint.metric);
        let mut scheduler = Self {
            options,
            board: Board::new(runs.len()),
            slots: Slots::new((0..executor.slots()).map(|slot| executor.device(slot))),
            sweep: Sweep::new(options.prune, metric, items.collect()),
            retry: RetryPolicy { retries: options.retries },
            attempts: vec![Attempts::default(); runs.len()],
            spending: Spending::new(options.budget, runs.len()),
            records,
            executor,
            locks: HashMap::new(),
            others,
            halted: false,
            outcome: before,
        };
        for run in 0..runs.len() {
            scheduler.take_stock(run)?;
        }
        Ok(scheduler)
    }

    /// Trains every run that is not done.
    ///
    /// # Errors
    /// What would meet every other run too: the store, the listener, no worker to be had.
    pub fn run(mut self) -> Result<Outcome, ExecuteError> {
        if let Err(e) = self.work() {
            let message = e.to_string();
            for occupant in self.slots.occupants().filter(|o| o.trains && self.board.is_running(o.run)) {
                self.records.fail(occupant.run, &message);
            }
            return Err(e);
        }
        Ok(self.outcome)
    }

    /// Takes in what earlier commands and calls have done with a run.
    fn take_stock(&mut self, run: usize) -> Result<(), ExecuteError> {
        let record = self.look(run)?;
        self.records.was_told(run, &record);
        if self.outcome.ended.contains(&record.key) {
            self.board.end(run, End::InEarlierCall { diverged: record.failure == Some(FailureKind::Diverged) });
        } else if record.state == RunState::Pruned && self.options.prune != Prune::None {
            if self.options.retry {
                self.sweep.let_past(self.records.runs()[run].trial);
            } else {
                self.records.tidy_up_after(run)?;
                self.leave_out(run, End::PrunedBefore, &record);
            }
        }
        Ok(())
    }

    /// Takes in what the store knows of a run that is not being trained here.
    fn look(&mut self, run: usize) -> Result<RunRecord, ExecuteError> {
        let record = self.records.read(run)?;
        self.spending.set_begun(run, record.started_at.is_some());
        if self.spending.counts_seconds() {
            self.spending.set_seconds(run, self.records.seconds(run)?);
        }
        let on_record = record.environment.as_ref().and_then(|e| e.micro_batch_tokens);
        let attempts = &mut self.attempts[run];
        attempts.micro_batch_tokens = attempts.micro_batch_tokens.or(on_record);
        let dev = if self.sweep.rungs(run).is_empty() { Vec::new() } else { self.records.dev_scores(run)? };
        self.sweep.stored(run, record.steps, &dev, record.state == RunState::Completed);
        Ok(record)
    }

    fn work(&mut self) -> Result<(), ExecuteError> {
        loop {
            let stopping = self.is_stopped() || self.spending.is_spent();
            if stopping {
                for slot in self.slots.tell_to_stop() {
                    self.executor.answer(slot, &Order::Stop)?;
                }
            } else {
                self.fill()?;
            }
            if self.slots.all_free() {
                if stopping {
                    return self.conclude();
                }
                if self.is_alone() {
                    if (self.spending.allows_another() || self.all_begun()) && self.sweep.hope(&self.board) {
                        continue;
                    }
                    return self.conclude();
                }
                self.say_that_it_waits();
            }
            if let Some((slot, news)) = self.executor.poll(TICK) {
                match news {
                    News::Report(report) => self.take(slot, report)?,
                    News::Silence => self.died(slot)?,
                }
            }
            if self.others.is_due() {
                self.refresh()?;
            }
        }
    }

    /// Whether no run begins or continues: the user asked for it, or a run was stopped that others are compared with.
    fn is_stopped(&self) -> bool {
        self.halted || (self.options.stop)()
    }

    /// Gives every free slot a run.
    fn fill(&mut self) -> Result<(), ExecuteError> {
        while self.slots.has_free() {
            self.refresh_scores()?;
            for (run, reason) in self.sweep.out(&self.board) {
                self.prune(run, reason)?;
            }
            let Some((slot, run)) = self.next() else { return Ok(()) };
            self.begin(slot, run)?;
        }
        Ok(())
    }

    /// A free slot and the run that it trains next.
    fn next(&mut self) -> Option<(usize, usize)> {
        let Self { slots, spending, board, sweep, .. } = self;
        let another = spending.allows_another();
        let choice = slots.choose(|alone| {
            let may = |run: usize| alone.is_some() || another || spending.has_begun(run);
            sweep.next(board, |run| slots.alone_on(run) == alone && may(run))
        })?;
        if choice.alone {
            for slot in self.slots.free_on(self.slots.device(choice.slot)) {
                self.executor.release(slot);
            }
        }
        Some((choice.slot, choice.run))
    }

    /// Settles one open run: orders it of a slot, or finds that nothing is to be done.
    fn begin(&mut self, slot: usize, run: usize) -> Result<(), ExecuteError> {
        let Some(lock) = self.records.lock(run)? else {
            self.board.seen(run, true);
            self.others.saw_one();
            self.spending.set_begun(run, true);
            return Ok(());
        };
        // Only who holds the lock can trust what the store says.
        let record = self.look(run)?;
        if self.others.were_seen() {
            self.records.catch_up(run, &record)?;
        }
        let (work, trains) = match self.records.todo(run, &record)? {
            Todo::Nothing(end) => {
                self.leave_out(run, end, &record);
                return Ok(());
            }
            Todo::Probes { last_step } => (Work::Probes { last_step }, false),
            Todo::Train(logged) => {
                let rungs = self.sweep.rungs(run).to_vec();
                let micro_batch_tokens = self.attempts[run].micro_batch_tokens;
                (Work::Train { rungs, micro_batch_tokens, logged }, true)
            }
        };
        self.board.begin(run, slot);
        self.spending.set_begun(run, true);
        self.executor.submit(slot, self.records.job(run, work))?;
        self.slots.occupy(slot, run, trains);
        self.locks.insert(run, lock);
        Ok(())
    }

    /// Takes a report.
    fn take(&mut self, slot: usize, report: Report) -> Result<(), ExecuteError> {
        let Some(occupant) = self.slots.occupant(slot) else {
            return match report {
                Report::Unusable(message) => self.has_no_room(slot, message),
                _ => Ok(()),
            };
        };
        let run = occupant.run;
        match report {
            Report::Ready => {}
            Report::Unusable(message) => return self.has_no_room(slot, message),
            Report::Started { environment, resumed_from } => {
                self.records.start(run, &environment, resumed_from)?;
                self.executor.answer(slot, &Order::Recorded)?;
            }
            Report::Happened(Event::RunFinished(outcome)) => {
                self.finished(slot, run, outcome)?;
                self.executor.answer(slot, &Order::Recorded)?;
            }
            Report::Happened(event) => {
                self.records.tell(run, &event)?;
                match &event {
                    Event::StepCompleted(step) => self.spending.set_seconds(run, step.elapsed_s),
                    Event::EvalCompleted { when: When::During, step, split: Split::Dev, metrics, .. } => {
                        let metric = self.records.runs()[run].config.checkpoint.metric;
                        self.sweep.measured(run, *step, metrics.score(metric));
                    }
                    _ => {}
                }
                if event.is_awaited() {
                    self.executor.answer(slot, &Order::Recorded)?;
                }
            }
            Report::MayGoOn(step) => {
                self.refresh_scores()?;
                let answer = self.sweep.goes_on(&self.board, run, step);
                self.executor.answer(slot, &Order::GoOn(answer))?;
            }
            Report::Finished => {
                if occupant.is_last {
                    let _ = self.executor.cancel(slot);
                }
                if self.board.is_running(run) {
                    self.skip(run, "done; new probes scored".into());
                }
                self.free(slot);
            }
        }
        Ok(())
    }

    /// A run's end, by its worker's word or by its worker's death.
    fn finished(&mut self, slot: usize, run: usize, outcome: event::Outcome) -> Result<(), ExecuteError> {
        use event::Outcome as How;
        let again = match &outcome {
            How::Failed { kind, message } => self.tries_again(slot, run, *kind, message)?,
            _ => false,
        };
        if matches!(outcome, How::Failed { kind: FailureKind::Crashed, .. }) {
            // Where its worker could still say so, its device could not go on.
            self.slots.end_worker_with_run(slot);
        }
        // A command that is asked to stop leaves it for the next one.
        let outcome = match again {
            true if self.is_stopped() => How::Interrupted,
            true => How::Retried,
            false => outcome,
        };
        self.records.tell(run, &Event::RunFinished(outcome.clone()))?;
        let stopping = self.is_stopped() || self.slots.occupant(slot).is_some_and(|occupant| occupant.told_to_stop);
        let then = match outcome {
            How::Completed => Then::Ended(End::Completed),
            How::Failed { kind: FailureKind::Diverged, .. } => Then::Ended(End::Diverged),
            // Its trial is not judged by it, but held until the run is tried again.
            How::Failed { .. } => Then::Ended(End::Failed),
            // Somebody stopped this run alone.
            How::Interrupted if !again && !stopping => {
                // Its worker would take the next request to go on for the same request to stop.
                self.slots.end_worker_with_run(slot);
                self.stopped_alone(run)
            }
            How::Interrupted | How::Pruned { .. } => Then::Interrupted,
            How::Retried => Then::Waiting,
            How::Paused { step } => Then::Paused { step },
        };
        self.board.close(run, then);
        if matches!(then, Then::Ended(_)) {
            self.look(run)?;
        }
        Ok(())
    }

    /// How a run continues whose worker alone was told to stop. Where runs are compared, what would be decided without it is not
    /// what an undisturbed sweep decides: nothing continues until the same command is run again.
    fn stopped_alone(&mut self, run: usize) -> Then {
        if self.options.prune == Prune::None {
            return Then::Ended(End::Stopped);
        }
        self.halted = true;
        (self.options.say)(&format!(
            "the worker of `{}` was stopped from outside: the sweep stops too, because it compares the others with this run",
            self.records.runs()[run].name
        ));
        Then::Interrupted
    }

    /// Whether a run that failed is tried again at once; in what way, is told as a note.
    fn tries_again(&mut self, slot: usize, run: usize, kind: FailureKind, message: &str) -> Result<bool, ExecuteError> {
        let failure = match (kind, self.slots.crowded_on(slot)) {
            (FailureKind::Oom, Some(device)) => Failure::OutOfMemoryBesideOthers(device),
            (FailureKind::Oom, None) => Failure::OutOfMemory(self.records.batch(run)?),
            (FailureKind::Crashed, _) => Failure::Crashed,
            (FailureKind::Error | FailureKind::Diverged, _) => Failure::Final,
        };
        let Some(retry) = self.retry.retry(failure, message, self.attempts[run]) else { return Ok(false) };
        if let Failure::OutOfMemoryBesideOthers(_) = failure {
            self.slots.keep_alone(slot);
        }
        self.attempts[run] = retry.attempts;
        self.records.tell(run, &Event::Note { message: retry.note })?;
        Ok(true)
    }

    /// A worker fell silent.
    fn died(&mut self, slot: usize) -> Result<(), ExecuteError> {
        let (kind, message) = self.executor.cancel(slot);
        if let Some(occupant) = self.slots.occupant(slot).filter(|occupant| self.board.is_running(occupant.run)) {
            if occupant.trains {
                self.finished(slot, occupant.run, event::Outcome::Failed { kind, message })?;
            } else {
                // The run itself is done.
                let message = format!("the new probes could not be scored: {message}");
                self.records.tell(occupant.run, &Event::Note { message })?;
            }
        }
        self.free(slot);
        Ok(())
    }

    /// A worker that cannot use its device ends the command, unless others use the same device: then there is no room for so
    /// many.
    fn has_no_room(&mut self, slot: usize, message: String) -> Result<(), ExecuteError> {
        if !self.slots.give_way(slot) {
            return Err(ExecuteError::Device(message));
        }
        (self.options.say)(&format!("one worker fewer on {}: {message}", self.slots.device(slot)));
        self.executor.release(slot);
        if let Some(occupant) = self.slots.occupant(slot) {
            self.board.close(occupant.run, Then::Waiting);
        }
        self.free(slot);
        Ok(())
    }

    fn free(&mut self, slot: usize) {
        if let Some(occupant) = self.slots.free(slot) {
            self.board.leave_slot(occupant.run);
            self.locks.remove(&occupant.run);
        }
    }

    /// Ends a run that its sweep is done with.
    fn prune(&mut self, run: usize, reason: String) -> Result<(), ExecuteError> {
        match self.records.prune(run, reason)? {
            Some(end) => self.board.end(run, end),
            None => self.board.seen(run, true),
        }
        Ok(())
    }

    /// Ends a run for which nothing is to be done, and notes why.
    fn leave_out(&mut self, run: usize, end: End, record: &RunRecord) {
        let why = match end {
            End::DivergedBefore => "diverged before and was skipped; --retry runs it again".into(),
            End::PrunedBefore => {
                let reason = record.message.as_deref().unwrap_or("by the rule of its sweep");
                format!("pruned before and skipped; --retry runs it to its end ({reason})")
            }
            End::DoneElsewhere => "done by another command".into(),
            _ => "done".into(),
        };
        self.skip(run, why);
        self.board.end(run, end);
    }

    fn skip(&mut self, run: usize, why: String) {
        let run = &self.records.runs()[run];
        self.outcome.skipped.push(Skipped { key: run.key.clone(), name: run.name.clone(), why });
    }

    /// Before a decision that depends on the scores of all runs.
    fn refresh_scores(&mut self) -> Result<(), ExecuteError> {
        if self.options.prune == Prune::None { Ok(()) } else { self.refresh() }
    }

    /// Takes in what other processes, if there are any, have done with runs that are not ended.
    fn refresh(&mut self) -> Result<(), ExecuteError> {
        let undecided = self.board.runs().filter(|&run| self.board.is_open(run) || self.board.is_elsewhere(run));
        let locked: Vec<(usize, bool)> = undecided.map(|run| (run, self.records.is_locked(run))).collect();
        if locked.iter().any(|(_, locked)| *locked) {
            self.others.saw_one();
        }
        if !self.others.were_seen() {
            return Ok(());
        }
        for (run, locked) in locked {
            let record = self.look(run)?;
            self.records.catch_up(run, &record)?;
            if record.state == RunState::Pruned && self.options.prune != Prune::None && !self.options.retry {
                self.leave_out(run, End::PrunedBefore, &record);
            } else {
                self.board.seen(run, locked);
            }
        }
        Ok(())
    }

    /// Whether no other process is at these runs. One that was may be between two of them.
    fn is_alone(&self) -> bool {
        !self.board.runs().any(|run| self.board.is_elsewhere(run)) && !self.others.may_be_between_runs()
    }

    /// Once: a command that does nothing should say why.
    fn say_that_it_waits(&mut self) {
        let elsewhere = self.board.runs().filter(|&run| self.board.is_elsewhere(run)).count();
        if elsewhere > 0 && !std::mem::replace(&mut self.outcome.said_that_it_waits, true) {
            (self.options.say)(&format!(
                "another taper process is at {elsewhere} of the runs that are left: waiting for it"
            ));
        }
    }

    /// Whether no open run is yet to be begun.
    fn all_begun(&self) -> bool {
        self.board.runs().all(|run| !self.board.is_open(run) || self.spending.has_begun(run))
    }

    /// Counts what became of the runs, and what is left of them, when nothing more is trained.
    fn conclude(&mut self) -> Result<(), ExecuteError> {
        let stopped = self.is_stopped();
        let spent = self.spending.is_spent() || (!self.spending.allows_another() && !self.all_begun());
        self.outcome.undecided.clear();
        if !stopped && !spent {
            self.outcome.undecided = self.sweep.undecided(&self.board);
            for (run, reason) in self.sweep.waiting(&self.board) {
                self.prune(run, reason)?;
            }
        }
        let mut tally = self.board.tally();
        for run in self.board.left() {
            // One that was done before may not have been looked at yet.
            *(match (self.records.state(run)?, stopped, spent) {
                (Some(RunState::Completed), ..) if self.records.done(run) == End::DoneElsewhere => {
                    &mut tally.done_elsewhere
                }
                (Some(RunState::Completed), ..) => &mut tally.already_done,
                (Some(RunState::Pruned), ..) => &mut tally.pruned_before,
                (None | Some(RunState::Pending), true, _) => &mut tally.not_started,
                (Some(RunState::Waiting), true, _) => &mut tally.waiting,
                // A run that this command trained is interrupted, even if that is not stored yet.
                (Some(RunState::Running), true, _) if !self.board.is_interrupted(run) => &mut tally.elsewhere,
                (_, true, _) => &mut tally.stopped,
                (_, _, true) => &mut tally.beyond_budget,
                _ => &mut tally.held,
            }) += 1;
        }
        self.outcome.tally += tally;
        let runs = self.records.runs();
        self.outcome.ended.extend(self.board.ended().map(|run| runs[run].key.clone()));
        Ok(())
    }
}
