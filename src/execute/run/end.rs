//! How a run ends: by its worker's word, by its worker's death, by the sweep's decision; and what is left when all have.

use super::{Busy, Command};
use crate::{
    event::{Event, FailureKind, Outcome},
    execute::{ExecuteError, RunFolder, make, sweep::Standing},
    format::counted,
    plan::Prune,
    store::RunState,
    train::largest_part,
};

/// Tokens below which a batch is not cut further when memory runs out.
const LEAST_MICRO_BATCH: usize = 64;

impl Command<'_, '_> {
    /// A run's end, by its worker's word or by its worker's death.
    pub(super) fn finished(&mut self, slot: usize, place: usize, outcome: Outcome) -> Result<(), ExecuteError> {
        let again = match &outcome {
            Outcome::Failed { kind, message } => self.tries_again(slot, place, *kind, message)?,
            _ => false,
        };
        if matches!(outcome, Outcome::Failed { kind: FailureKind::Crashed, .. }) {
            // Where its worker could still say so, its device could not go on: the next run gets another process.
            self.busy[slot].iter_mut().for_each(|busy| busy.last = true);
        }
        // A command that is asked to stop leaves it for the next one.
        let outcome = match again {
            true if self.is_stopped() => Outcome::Interrupted,
            true => Outcome::Retried,
            false => outcome,
        };
        self.tell(place, &Event::RunFinished(outcome.clone()))?;
        let stopping = self.is_stopped() || self.busy[slot].as_ref().is_some_and(|busy| busy.told_to_stop);
        let then = match outcome {
            Outcome::Completed => {
                self.tally.completed += 1;
                Standing::Ended
            }
            Outcome::Failed { kind, .. } => {
                self.tally.failed += 1;
                // Whatever else it was may not meet it again: its trial is not judged by it, but held until it is made again.
                self.sweep.items[place].failed = kind == FailureKind::Diverged;
                Standing::Ended
            }
            // Somebody stopped this run alone.
            Outcome::Interrupted if !again && !stopping => {
                // Its worker would take the next request to go on for the same request to stop.
                self.busy[slot].iter_mut().for_each(|busy| busy.last = true);
                self.stopped_alone(place)
            }
            Outcome::Interrupted | Outcome::Retried | Outcome::Paused { .. } | Outcome::Pruned { .. } => Standing::Open,
        };
        if then == Standing::Ended {
            self.look(place)?;
        }
        if let Some(busy) = self.busy[slot].as_mut() {
            busy.then = Some(then);
        }
        Ok(())
    }

    /// How a run stands whose worker alone was told to stop. Where runs are compared, what would be decided without it is not what
    /// an undisturbed sweep decides: nothing goes on until the same command is run again.
    fn stopped_alone(&mut self, place: usize) -> Standing {
        if self.runner.prune == Prune::None {
            self.tally.stopped += 1;
            return Standing::Ended;
        }
        self.halted = true;
        (self.runner.say)(&format!(
            "the worker of `{}` was stopped from outside: the sweep stops too, for it compares the others with this run",
            self.runs[place].name
        ));
        Standing::Open
    }

    /// Whether a run that failed is made again at once, and in what way: told as a note.
    fn tries_again(
        &mut self,
        slot: usize,
        place: usize,
        kind: FailureKind,
        message: &str,
    ) -> Result<bool, ExecuteError> {
        let first_line = message.lines().next().unwrap_or_default().to_string();
        let note = match kind {
            FailureKind::Oom if self.was_crowded_out(slot, place) => {
                format!(
                    "{first_line}; other runs were on {} at the same time: tried again alone",
                    self.executor.device(slot)
                )
            }
            FailureKind::Oom => {
                let run = &self.runs[place];
                let train = &run.config.train;
                let largest = largest_part(train, &run.splits.train, &run.tokens)?;
                let now = self.tries[place].micro_batch_tokens.unwrap_or(train.micro_batch_tokens).min(largest);
                if now / 2 < LEAST_MICRO_BATCH {
                    return Ok(false);
                }
                self.tries[place].micro_batch_tokens = Some(now / 2);
                format!(
                    "{first_line}; continues with batches computed in parts of at most {} tokens instead of {now}; the effective \
                     batch stays {}",
                    now / 2,
                    counted((train.batch_size * train.gradient_accumulation_steps) as u64, "row")
                )
            }
            FailureKind::Crashed if self.tries[place].made < self.runner.retries => {
                self.tries[place].made += 1;
                format!("{first_line}; tried again ({} of {})", self.tries[place].made, self.runner.retries)
            }
            _ => return Ok(false),
        };
        self.tell(place, &Event::Note { message: note })?;
        Ok(true)
    }

    /// A worker fell silent.
    pub(super) fn died(&mut self, slot: usize) -> Result<(), ExecuteError> {
        let (kind, message) = self.executor.cancel(slot);
        match &self.busy[slot] {
            Some(Busy { place, then: None, trains: true, .. }) => {
                self.finished(slot, *place, Outcome::Failed { kind, message })?;
            }
            // The run itself is done.
            Some(Busy { place, then: None, trains: false, .. }) => {
                let message = format!("the new probes could not be scored: {message}");
                self.tell(*place, &Event::Note { message })?;
                self.tally.already_done += 1;
            }
            _ => {}
        }
        self.free(slot);
        Ok(())
    }

    /// Ends a run that its sweep is done with.
    pub(super) fn prune(&mut self, place: usize, reason: String) -> Result<(), ExecuteError> {
        let run = &self.runs[place];
        let Some(_lock) = self.lock(place)? else {
            self.sweep.items[place].standing = Standing::Elsewhere;
            return Ok(());
        };
        // A worker that has outlived its command by a moment may still be writing.
        let _worker = make::alone(self.runner.runs, &run.key)?;
        match self.store.run(&run.key)?.state {
            RunState::Completed => self.tally.already_done += 1,
            // Another command was quicker.
            RunState::Pruned => self.tally.pruned_before += 1,
            _ => {
                self.tell(place, &Event::RunFinished(Outcome::Pruned { reason }))?;
                RunFolder::new(self.runner.runs, &run.key).forget_state()?;
                self.tally.pruned += 1;
            }
        }
        self.end(place);
        Ok(())
    }

    /// Counts what is left, when nothing more is made.
    pub(super) fn conclude(&mut self) -> Result<(), ExecuteError> {
        let stopped = self.is_stopped();
        let spent = self.budget_is_spent() || (!self.may_begin() && !self.all_begun());
        self.runner.undecided.clear();
        if !stopped && !spent {
            self.runner.undecided = self.sweep.undecided();
            for (place, reason) in self.sweep.waiting() {
                self.prune(place, reason)?;
            }
        }
        for place in (0..self.runs.len()).filter(|&place| self.sweep.items[place].standing != Standing::Ended) {
            // One that was done before may not have been looked at yet.
            let state = self.store.known(&self.runs[place].key)?.map(|record| record.state);
            *(match (state, stopped, spent) {
                (Some(RunState::Completed), ..) => &mut self.tally.already_done,
                (Some(RunState::Pruned), ..) => &mut self.tally.pruned_before,
                (None | Some(RunState::Pending), true, _) => &mut self.tally.not_started,
                (Some(RunState::Waiting), true, _) => &mut self.tally.waiting,
                (_, true, _) => &mut self.tally.stopped,
                (_, _, true) => &mut self.tally.beyond_budget,
                _ => &mut self.tally.held,
            }) += 1;
        }
        Ok(())
    }

    /// Whether no open run is yet to be begun.
    pub(super) fn all_begun(&self) -> bool {
        let open = |place: usize| self.sweep.items[place].standing == Standing::Open;
        (0..self.runs.len()).all(|place| !open(place) || self.tries[place].begun)
    }

    pub(super) fn free(&mut self, slot: usize) {
        match self.busy[slot].take() {
            Some(Busy { place, then: None | Some(Standing::Ended), .. }) => self.end(place),
            Some(Busy { place, then: Some(standing), .. }) => self.sweep.items[place].standing = standing,
            None => {}
        }
    }

    pub(super) fn end(&mut self, place: usize) {
        self.sweep.items[place].standing = Standing::Ended;
        self.runner.ended.insert(self.runs[place].key.clone());
    }
}
