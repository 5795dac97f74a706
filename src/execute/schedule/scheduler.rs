//! Trains the runs of a command: fills free slots, answers workers, and handles the end of each run.

use std::{collections::HashMap, time::Duration};

use super::{
    decide::{Pruning, SweepDecisions, TrialRun},
    options::SchedulerOptions,
    other_processes::OtherProcesses,
    outcome::{Outcome, Skipped},
    records::{Records, Todo},
    retry::{Attempts, Failure, RetryPolicy},
    run_states::{End, RunStates, Then},
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

/// Interval at which the request to stop is checked.
const TICK: Duration = Duration::from_millis(100);

/// Trains runs with an executor. A failed run does not stop the others. A run that another process trains is waited for, and trained here if
/// that process does not complete it.
pub(in crate::execute) struct Scheduler<'a> {
    options: &'a SchedulerOptions<'a>,
    records: Records<'a>,
    // Dropped before the locks: workers end before their runs are free for other processes.
    executor: Box<dyn Executor + 'a>,
    /// Locks of the runs in slots.
    locks: HashMap<usize, RunLock>,
    states: RunStates,
    slots: Slots,
    decisions: SweepDecisions,
    retry: RetryPolicy,
    attempts: Vec<Attempts>,
    spending: Spending,
    others: OtherProcesses<'a>,
    /// Whether a run that others are compared with was stopped from outside: nothing is decided without it.
    halted: bool,
    outcome: Outcome,
}

impl<'a> Scheduler<'a> {
    /// A scheduler for the runs of `records`. `before` is the outcome of earlier calls for the same experiment.
    pub fn new(
        options: &'a SchedulerOptions<'a>,
        records: Records<'a>,
        executor: Box<dyn Executor + 'a>,
        others: OtherProcesses<'a>,
        before: Outcome,
    ) -> Result<Self, ExecuteError> {
        let runs = records.runs();
        let items = runs
            .iter()
            .map(|run| TrialRun::new(run.trial, rungs(&options.prune, &run.config.train, run.examples() as u64)));
        let metric = runs.first().map_or(Metric::Accuracy, |run| run.config.checkpoint.metric);
        let mut scheduler = Self {
            options,
            states: RunStates::new(runs.len()),
            slots: Slots::new((0..executor.slots()).map(|slot| executor.device(slot))).apart(executor.is_remote()),
            decisions: SweepDecisions::new(options.prune, metric, items.collect()),
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
            scheduler.set_initial_state(run)?;
        }
        Ok(scheduler)
    }

    /// Trains every run that is not completed.
    ///
    /// # Errors
    /// Errors that concern all runs: of the store or the listener, or if no worker can be started.
    pub fn run(mut self) -> Result<Outcome, ExecuteError> {
        if let Err(e) = self.work() {
            let message = e.to_string();
            for occupant in self.slots.occupants().filter(|o| o.trains && self.states.is_running(o.run)) {
                self.records.fail(occupant.run, &message);
            }
            return Err(e);
        }
        Ok(self.outcome)
    }

    /// Sets the state of a run from what earlier commands and calls have stored.
    fn set_initial_state(&mut self, run: usize) -> Result<(), ExecuteError> {
        let record = self.look(run)?;
        self.records.set_reported(run, &record);
        if self.outcome.ended.contains(&record.key) {
            self.states.end(
                run,
                End::InEarlierCall {
                    diverged: record.failure == Some(FailureKind::Diverged),
                    pruned: record.state == RunState::Pruned,
                },
            );
        } else if record.state == RunState::Pruned && self.options.prune != Prune::None {
            if self.options.retry {
                self.decisions.promote_to_end(self.records.runs()[run].trial);
            } else {
                self.records.remove_checkpoint(run)?;
                self.leave_out(run, End::PrunedBefore, &record);
            }
        }
        Ok(())
    }

    /// Reads the record of a run that is not trained here, and updates spending, attempts and scores from it.
    fn look(&mut self, run: usize) -> Result<RunRecord, ExecuteError> {
        let record = self.records.read(run)?;
        self.spending.set_begun(run, record.started_at.is_some());
        if self.spending.counts_seconds() {
            self.spending.set_seconds(run, self.records.seconds(run)?);
        }
        let on_record = record.environment.as_ref().and_then(|e| e.micro_batch_tokens);
        let attempts = &mut self.attempts[run];
        attempts.micro_batch_tokens = attempts.micro_batch_tokens.or(on_record);
        let dev = if self.decisions.rung_steps(run).is_empty() { Vec::new() } else { self.records.dev_scores(run)? };
        self.decisions.stored(run, record.steps, &dev, record.state == RunState::Completed);
        Ok(record)
    }

    fn work(&mut self) -> Result<(), ExecuteError> {
        loop {
            let stopping = self.is_stopped() || self.spending.is_spent();
            if self.is_stopped() {
                self.end_readers();
            }
            if stopping {
                for slot in self.slots.mark_stopping() {
                    // It stops after the present step.
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
                    if (self.spending.allows_another() || self.all_begun())
                        && self.decisions.continue_best(&self.states)
                    {
                        continue;
                    }
                    return self.conclude();
                }
                self.say_that_it_waits();
            }
            if let Some((slot, news)) = self.executor.poll(TICK) {
                match news {
                    News::Report(report) => self.take(slot, report)?,
                    News::Silence => self.worker_gone(slot)?,
                }
            }
            if self.others.is_due() {
                self.refresh()?;
            }
        }
    }

    /// Ends the workers that still read their rows, which can take minutes, or that only score probes: they have nothing to save. They may
    /// have been ordered to stop before, because the time budget was spent.
    fn end_readers(&mut self) {
        for (slot, run) in self.slots.not_begun() {
            // One that has already reported its end is cleaning up.
            if self.states.is_running(run) {
                let _ = self.executor.cancel(slot);
                self.states.close(run, Then::Waiting);
                self.free(slot);
            }
        }
    }

    /// Whether no run begins or continues any more: the user asked to stop, or a run that others are compared with was stopped.
    fn is_stopped(&self) -> bool {
        self.halted || (self.options.stop)()
    }

    /// Starts a run in every free slot.
    fn fill(&mut self) -> Result<(), ExecuteError> {
        while self.slots.has_free() {
            self.refresh_scores()?;
            for pruning in self.decisions.pruned(&self.states) {
                self.prune(pruning)?;
            }
            let Some((slot, run)) = self.next() else { return Ok(()) };
            self.begin(slot, run)?;
        }
        Ok(())
    }

    /// The next free slot and its next run.
    fn next(&mut self) -> Option<(usize, usize)> {
        let Self { slots, spending, states, decisions, .. } = self;
        let another = spending.allows_another();
        let choice = slots.choose(|alone| {
            let allowed = |run: usize| alone.is_some() || another || spending.has_begun(run);
            decisions.next(states, |run| slots.alone_on(run) == alone && allowed(run))
        })?;
        if choice.alone {
            for slot in self.slots.free_on(self.slots.device(choice.slot)) {
                self.executor.release(slot);
            }
        }
        Some((choice.slot, choice.run))
    }

    /// Starts an open run in a slot, or ends it if there is nothing to do.
    fn begin(&mut self, slot: usize, run: usize) -> Result<(), ExecuteError> {
        let Some(lock) = self.records.lock(run)? else {
            self.states.seen(run, true);
            self.others.saw_one();
            self.spending.set_begun(run, true);
            return Ok(());
        };
        // The record is reliable only while the lock is held.
        let mut record = self.look(run)?;
        if self.records.take_over(run, &record)? {
            record = self.look(run)?;
        }
        if self.others.were_seen() {
            self.records.catch_up(run, &record)?;
        }
        let (work, trains) = match self.records.todo(run, &record)? {
            Todo::Nothing(end) => {
                self.leave_out(run, end, &record);
                return Ok(());
            }
            Todo::Probes { last_step } => (Work::Probes { last_step }, false),
            Todo::Train(stored) => {
                let rungs = self.decisions.rung_steps(run);
                let micro_batch_tokens = self.attempts[run].micro_batch_tokens;
                (Work::Train { rungs, micro_batch_tokens, stored }, true)
            }
        };
        self.states.begin(run, slot);
        self.spending.set_begun(run, true);
        self.executor.submit(slot, self.records.job(run, work))?;
        self.slots.occupy(slot, run, trains);
        self.locks.insert(run, lock);
        Ok(())
    }

    /// Handles a report.
    fn take(&mut self, slot: usize, report: Report) -> Result<(), ExecuteError> {
        let Some(occupant) = self.slots.occupant(slot) else {
            return match report {
                Report::Unusable(message) => self.device_unusable(slot, message),
                _ => Ok(()),
            };
        };
        let run = occupant.run;
        match report {
            Report::Ready => {}
            Report::Unusable(message) => return self.device_unusable(slot, message),
            Report::Started { environment, resumed_from } => {
                self.records.start(run, &environment, resumed_from)?;
                self.states.begin_again(run);
                self.slots.mark_begun(slot);
                self.executor.answer(slot, &Order::Recorded)?;
            }
            Report::Event(Event::RunFinished(outcome)) => {
                self.finished(slot, run, outcome, !self.executor.is_remote())?;
                self.executor.answer(slot, &Order::Recorded)?;
            }
            Report::Event(event) => {
                self.records.tell(run, &event)?;
                match &event {
                    Event::StepCompleted(step) => self.spending.set_seconds(run, step.elapsed_s),
                    Event::EvalCompleted { when: When::During, step, split: Split::Dev, metrics, .. } => {
                        let metric = self.records.runs()[run].config.checkpoint.metric;
                        self.decisions.measured(run, *step, metrics.score(metric));
                    }
                    _ => {}
                }
                if event.is_awaited() {
                    self.executor.answer(slot, &Order::Recorded)?;
                }
            }
            Report::AtRung(step) => {
                self.refresh_scores()?;
                let answer = self.decisions.continues_at(&self.states, run, step);
                self.executor.answer(slot, &Order::Continue(answer))?;
            }
            Report::Finished => {
                if occupant.is_last {
                    let _ = self.executor.cancel(slot);
                }
                if self.states.is_running(run) {
                    self.skip(run, "completed before; new probes scored", None);
                }
                self.free(slot);
            }
        }
        Ok(())
    }

    /// Handles the end of a run, reported by its worker or caused by the worker's crash. If it failed, it `can` be tried again.
    fn finished(&mut self, slot: usize, run: usize, outcome: event::Outcome, can: bool) -> Result<(), ExecuteError> {
        use event::Outcome as How;
        let again = match &outcome {
            How::Failed { kind, message } if can => self.tries_again(slot, run, *kind, message)?,
            _ => false,
        };
        if matches!(outcome, How::Failed { kind: FailureKind::Crashed, .. }) {
            // Its worker reported the crash itself: its device is unusable.
            self.slots.end_worker_with_run(slot);
        }
        // After a request to stop it is left to the next command.
        let outcome = match again {
            true if self.is_stopped() => How::Interrupted,
            true => How::Retried,
            false => outcome,
        };
        self.records.tell(run, &Event::RunFinished(outcome.clone()))?;
        let stopping = self.is_stopped() || self.slots.occupant(slot).is_some_and(|occupant| occupant.stopping);
        let then = match outcome {
            How::Completed => Then::Ended(End::Completed),
            How::Failed { kind: FailureKind::Diverged, .. } => Then::Ended(End::Diverged),
            // Its trial waits until the run is tried again.
            How::Failed { .. } => Then::Ended(End::Failed),
            // Only this worker was stopped.
            How::Interrupted if !again && !stopping => {
                // The worker would apply the same request to stop to its next run.
                self.slots.end_worker_with_run(slot);
                self.stopped_alone(run)
            }
            How::Interrupted | How::Pruned { .. } => Then::Interrupted,
            How::Retried => Then::Waiting,
            How::Paused { step } => Then::Paused { step },
        };
        self.states.close(run, then);
        if matches!(then, Then::Ended(_)) {
            self.look(run)?;
        }
        Ok(())
    }

    /// The next state of a run whose worker was stopped from outside. If runs are compared, decisions without it would differ from those of an
    /// undisturbed sweep: nothing continues until the same command is run again.
    fn stopped_alone(&mut self, run: usize) -> Then {
        if self.options.prune == Prune::None {
            return Then::Ended(End::Stopped);
        }
        self.halted = true;
        (self.options.say)(&format!(
            "the worker of `{}` was stopped from outside: the sweep stops too, because it compares other runs with \
             this one",
            self.records.runs()[run].name
        ));
        Then::Interrupted
    }

    /// Whether a failed run is tried again at once; a note says how.
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

    /// Handles a worker that is gone.
    fn worker_gone(&mut self, slot: usize) -> Result<(), ExecuteError> {
        let (kind, message) = self.executor.cancel(slot);
        if let Some(occupant) = self.slots.occupant(slot).filter(|occupant| self.states.is_running(occupant.run)) {
            if occupant.trains {
                self.finished(slot, occupant.run, event::Outcome::Failed { kind, message }, true)?;
            } else {
                // The run itself is done.
                let message = format!("the new probes could not be scored: {message}");
                self.records.tell(occupant.run, &Event::Note { message })?;
            }
        }
        self.free(slot);
        Ok(())
    }

    /// Handles a worker that cannot use its device: an error, unless other workers use the same device; then fewer fit.
    fn device_unusable(&mut self, slot: usize, message: String) -> Result<(), ExecuteError> {
        if !self.slots.give_up(slot) {
            return Err(ExecuteError::Device(message));
        }
        (self.options.say)(&format!("running one worker fewer on {}: {message}", self.slots.device(slot)));
        self.executor.release(slot);
        if let Some(occupant) = self.slots.occupant(slot) {
            self.states.close(occupant.run, Then::Waiting);
        }
        self.free(slot);
        Ok(())
    }

    fn free(&mut self, slot: usize) {
        if let Some(occupant) = self.slots.free(slot) {
            self.states.leave_slot(occupant.run);
            self.locks.remove(&occupant.run);
        }
    }

    /// Prunes a run.
    fn prune(&mut self, pruning: Pruning) -> Result<(), ExecuteError> {
        let run = pruning.run;
        match self.records.prune(pruning)? {
            Some(end) => self.states.end(run, end),
            None => self.states.seen(run, true),
        }
        Ok(())
    }

    /// Ends a run that is skipped, with the reason.
    fn leave_out(&mut self, run: usize, end: End, record: &RunRecord) {
        let (why, because) = match end {
            End::DivergedBefore => ("diverged before and was skipped; --retry trains it again", None),
            End::PrunedBefore => {
                let reason = record.message.as_deref().unwrap_or("by the rule of its sweep");
                ("pruned before and was skipped; --retry trains it to the end", Some(reason.to_string()))
            }
            End::DoneElsewhere => ("completed by another command", None),
            _ => ("completed before", None),
        };
        self.skip(run, why, because);
        self.states.end(run, end);
    }

    fn skip(&mut self, run: usize, why: &str, because: Option<String>) {
        let run = &self.records.runs()[run];
        let (key, name, why) = (run.key.clone(), run.name.clone(), why.to_string());
        self.outcome.skipped.push(Skipped { key, name, why, because });
    }

    /// Called before a decision that depends on the scores of all runs.
    fn refresh_scores(&mut self) -> Result<(), ExecuteError> {
        if self.options.prune == Prune::None { Ok(()) } else { self.refresh() }
    }

    /// Updates the runs that have not ended with what other processes, if there are any, have stored.
    fn refresh(&mut self) -> Result<(), ExecuteError> {
        let undecided = self.states.runs().filter(|&run| self.states.is_open(run) || self.states.is_elsewhere(run));
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
                self.states.seen(run, locked);
            }
        }
        Ok(())
    }

    /// Whether no other process trains these runs, or is between two of them.
    fn is_alone(&self) -> bool {
        !self.states.runs().any(|run| self.states.is_elsewhere(run)) && !self.others.can_be_between_runs()
    }

    /// Says once why the command does nothing.
    fn say_that_it_waits(&mut self) {
        let elsewhere = self.states.runs().filter(|&run| self.states.is_elsewhere(run)).count();
        if elsewhere > 0 && !std::mem::replace(&mut self.outcome.said_that_it_waits, true) {
            (self.options.say)(&format!(
                "another taper process is training {elsewhere} of the remaining runs: waiting for it"
            ));
        }
    }

    /// Whether every open run has begun.
    fn all_begun(&self) -> bool {
        self.states.runs().all(|run| !self.states.is_open(run) || self.spending.has_begun(run))
    }

    /// Ends waiting runs if the sweep is over, and counts the runs by how they ended or why they are left.
    fn conclude(&mut self) -> Result<(), ExecuteError> {
        let stopped = self.is_stopped();
        let spent = self.spending.is_spent() || (!self.spending.allows_another() && !self.all_begun());
        // A promotion that the order of the plan decided stays so, whether or not more trials follow.
        self.outcome.ties = self.decisions.ties(&self.states);
        if !stopped && !spent {
            for pruning in self.decisions.waiting(&self.states) {
                self.prune(pruning)?;
            }
        }
        let mut tally = self.states.tally();
        for run in self.states.left() {
            // A run that was completed before is possibly still waiting here.
            let state = self.records.state(run)?;
            tally.left_waiting += usize::from(state == Some(RunState::Waiting) && !stopped);
            *(match (state, stopped, spent) {
                (Some(RunState::Completed), ..) if self.records.done(run) == End::DoneElsewhere => {
                    &mut tally.done_elsewhere
                }
                (Some(RunState::Completed), ..) => &mut tally.already_done,
                (Some(RunState::Pruned), ..) => &mut tally.pruned_before,
                (None | Some(RunState::Pending), true, _) => &mut tally.not_started,
                (Some(RunState::Waiting), true, _) => &mut tally.waiting,
                // A run that this command trained counts as stopped, even if that is not stored yet.
                (Some(RunState::Running), true, _) if !self.states.is_interrupted(run) => &mut tally.elsewhere,
                (_, true, _) => &mut tally.stopped,
                (_, _, true) => &mut tally.beyond_budget,
                _ => &mut tally.held,
            }) += 1;
        }
        self.outcome.tally += tally;
        let runs = self.records.runs();
        self.outcome.ended.extend(self.states.ended().map(|run| runs[run].key.clone()));
        Ok(())
    }
}
