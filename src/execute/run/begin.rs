//! What is left to do for a run, and the slot that does it.

use std::time::Instant;

use super::{Busy, Command};
use crate::{
    event::{Event, FailureKind},
    execute::{
        ExecuteError, RunFolder, kept,
        logged::{self, Logged},
        probes,
        protocol::{Job, Task},
        sweep::Standing,
    },
    plan::Prune,
    store::{RunLock, RunRecord, RunState},
};

impl Command<'_, '_> {
    /// Gives every free slot a run.
    pub(super) fn fill(&mut self) -> Result<(), ExecuteError> {
        while self.busy.iter().any(Option::is_none) {
            self.refresh_scores()?;
            for (place, reason) in self.sweep.out() {
                self.prune(place, reason)?;
            }
            let Some((slot, place)) = self.next() else { return Ok(()) };
            self.begin(slot, place)?;
        }
        Ok(())
    }

    /// Whether the budget has room for one more run.
    pub(super) fn may_begin(&self) -> bool {
        let begun = self.tries.iter().filter(|tries| tries.begun).count() as u64;
        self.runner.budget.runs.is_none_or(|most| begun < most)
    }

    /// Settles one open run: orders it of a slot, or finds that nothing is to be done.
    pub(super) fn begin(&mut self, slot: usize, place: usize) -> Result<(), ExecuteError> {
        let run = &self.runs[place];
        let Some(lock) = self.lock(place)? else {
            self.sweep.items[place].standing = Standing::Elsewhere;
            self.others = Some(Instant::now());
            self.tries[place].begun = true;
            return Ok(());
        };
        // Only who holds the lock can trust what the store says.
        let record = self.look(place)?;
        if self.others.is_some() {
            self.catch_up(place, &record)?;
        }
        let task = match self.task(place, &record)? {
            Some(task) => task,
            None => return Ok(()),
        };
        self.sweep.items[place].standing = Standing::Busy;
        self.tries[place].begun = true;
        let job = Job {
            key: run.key.clone(),
            name: run.name.clone(),
            config: run.config.clone(),
            located: run.located.clone(),
            runs: self.runner.runs.into(),
            task,
        };
        let trains = matches!(job.task, Task::Train { .. });
        self.executor.submit(slot, job)?;
        let shared = self.share(slot);
        self.busy[slot] =
            Some(Busy { place, _lock: lock, trains, told_to_stop: false, then: None, last: false, shared });
        Ok(())
    }

    /// The run's lock; none where another process has it.
    pub(super) fn lock(&self, place: usize) -> Result<Option<RunLock>, ExecuteError> {
        let key = &self.runs[place].key;
        Ok(RunLock::acquire(self.runner.runs, key)?)
    }

    /// What is left to do for a run whose lock is held; none where there is nothing.
    pub(super) fn task(&mut self, place: usize, record: &RunRecord) -> Result<Option<Task>, ExecuteError> {
        let run = &self.runs[place];
        let folder = RunFolder::new(self.runner.runs, &run.key);
        let problem = match record.state {
            RunState::Completed => match logged::missing(self.store, record)? {
                None => {
                    // A model that is read is looked at closely.
                    let is_read = probes::are_new(self.store, run, self.runner.runs)?;
                    kept::problem(self.store, self.runner.runs, record, run.config.checkpoint.keep, is_read)?
                }
                missing => missing,
            },
            _ => None,
        };
        match record.state {
            RunState::Completed if problem.is_none() => {
                // A process that ended right after the run's last event left it.
                folder.forget_state()?;
                if probes::are_new(self.store, run, self.runner.runs)? {
                    return Ok(Some(Task::Probes { last_step: record.steps }));
                }
                (self.runner.skipped)(run, "done");
                self.tally.already_done += 1;
            }
            RunState::Failed if record.failure == Some(FailureKind::Diverged) && !self.runner.retry => {
                (self.runner.skipped)(run, "diverged before and was skipped; --retry runs it again");
                self.sweep.items[place].failed = true;
                self.tally.diverged_before += 1;
            }
            // Another command pruned it since this one began.
            RunState::Pruned if self.runner.prune != Prune::None && !self.runner.retry => {
                self.was_pruned(place, record)
            }
            _ => {
                if record.failure == Some(FailureKind::Diverged) {
                    // From its checkpoint it would take the same steps again.
                    folder.forget_state()?;
                }
                if let Some(problem) = problem {
                    // What a process that ended right after the run's last event left is no checkpoint of what is made now.
                    folder.forget_state()?;
                    let message =
                        format!("the run is completed, but {problem}: it is trained again from the beginning");
                    self.tell(place, &Event::Note { message })?;
                }
                let rungs = self.sweep.items[place].rungs.clone();
                let micro_batch_tokens = self.tries[place].micro_batch_tokens;
                let logged = Logged::read(self.store, &self.runs[place])?;
                return Ok(Some(Task::Train { rungs, micro_batch_tokens, logged }));
            }
        }
        self.end(place);
        Ok(None)
    }

    /// Removes the state of a run that is done with, where a command was killed before it could.
    pub(super) fn tidy_up_after(&self, place: usize) -> Result<(), ExecuteError> {
        let folder = RunFolder::new(self.runner.runs, &self.runs[place].key);
        let left = folder.state().exists() || folder.previous_state().exists() || folder.best().exists();
        // Who holds the lock is about to do it.
        if left && let Some(_lock) = self.lock(place)? {
            folder.forget_state()?;
        }
        Ok(())
    }

    /// Leaves a run pruned that was pruned before.
    pub(super) fn was_pruned(&mut self, place: usize, record: &RunRecord) {
        let reason = record.message.as_deref().unwrap_or("by the rule of its sweep");
        let why = format!("pruned before and skipped; --retry runs it to its end ({reason})");
        (self.runner.skipped)(&self.runs[place], &why);
        self.tally.pruned_before += 1;
        self.end(place);
    }
}
