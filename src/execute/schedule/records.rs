//! Access to the store, the locks, the folders of runs and the listener, for the runs of a command.

use std::path::Path;

use super::{decide::Pruning, options::SchedulerOptions, retry::Batch, run_states::End};
use crate::{
    event::{Event, FailureKind, Outcome, Split, When},
    execute::{
        ExecuteError, Prepared, RunFolder, kept, probes,
        protocol::{Work, WorkerJob},
        stored_progress::{self, StoredProgress},
        train_run,
    },
    metrics::Score,
    observe::{Listener, RunInfo, past},
    plan::Prune,
    store::{Environment, RunLock, RunRecord, RunState, Store, is_locked},
    train::largest_part,
};

/// The stored runs of a command.
pub(in crate::execute) struct Records<'a> {
    store: &'a mut Store,
    runs: &'a [Prepared],
    options: &'a SchedulerOptions<'a>,
    listener: &'a mut dyn Listener,
    /// State and steps of each run when the listener was last informed.
    reported: Vec<Option<(RunState, u64)>>,
    /// Whether each run was completed when this command began.
    done_before: Vec<bool>,
    take_over: Option<TakeOver>,
}

/// What a command does about runs that somebody else was to train.
#[derive(Debug, Clone, Copy)]
pub(in crate::execute) struct TakeOver {
    /// Takes a run over, with what it has measured. Returns the number of the submission that had begun it.
    pub take: fn(&mut Store, &Path, &str) -> Result<Option<u64>, ExecuteError>,
    /// Whether it is trained at the moment, although its lock may be free for an instant.
    pub is_trained: fn(&Path, &str) -> bool,
}

/// What is left to do for a run.
pub(in crate::execute) enum Todo {
    /// Train it, from its checkpoint if these measurements are enough for that.
    Train(StoredProgress),
    /// It is completed: score its new probe sentences.
    Probes {
        /// Step of its last evaluation.
        last_step: u64,
    },
    /// Nothing.
    Nothing(End),
}

impl<'a> Records<'a> {
    /// Access for these runs. `listener` must store events.
    pub fn new(
        store: &'a mut Store,
        runs: &'a [Prepared],
        options: &'a SchedulerOptions<'a>,
        listener: &'a mut dyn Listener,
    ) -> Self {
        let (reported, done_before) = (vec![None; runs.len()], vec![false; runs.len()]);
        Self { store, runs, options, listener, reported, done_before, take_over: None }
    }

    /// The same, for a command that trains runs that were submitted elsewhere: it takes each of them over so.
    pub fn taking_over(self, how: TakeOver) -> Self {
        Self { take_over: Some(how), ..self }
    }

    /// The runs.
    pub fn runs(&self) -> &'a [Prepared] {
        self.runs
    }

    /// The record of a run.
    pub fn read(&self, run: usize) -> Result<RunRecord, ExecuteError> {
        Ok(self.store.run(&self.runs[run].key)?)
    }

    /// The stored state of a run; `None` if it is not in the store.
    pub fn state(&self, run: usize) -> Result<Option<RunState>, ExecuteError> {
        Ok(self.store.known(&self.runs[run].key)?.map(|record| record.state))
    }

    /// Training time of a run in seconds.
    pub fn seconds(&self, run: usize) -> Result<f64, ExecuteError> {
        let key = self.runs[run].key.as_str();
        Ok(self.store.training_seconds([key])?.remove(key).unwrap_or(0.0))
    }

    /// The scores of a run on the dev split during and after training, in the order of steps.
    pub fn dev_scores(&self, run: usize) -> Result<Vec<(When, u64, Score)>, ExecuteError> {
        let metric = self.runs[run].config.checkpoint.metric;
        let evals = self.store.evals(&self.runs[run].key)?;
        let dev = evals.iter().filter(|eval| eval.split == Split::Dev && eval.when != When::Before);
        Ok(dev.map(|eval| (eval.when, eval.step, eval.metrics.score(metric))).collect())
    }

    /// How a run computes its batches.
    pub(super) fn batch(&self, run: usize) -> Result<Batch, ExecuteError> {
        batch_of(&self.runs[run])
    }

    /// Takes the run's lock; `None` if another process holds it.
    pub fn lock(&self, run: usize) -> Result<Option<RunLock>, ExecuteError> {
        let (runs, key) = (self.options.runs, self.runs[run].key.as_str());
        let lock = RunLock::acquire(runs, key)?;
        Ok(lock.filter(|_| self.take_over.is_none_or(|take_over| !(take_over.is_trained)(runs, key))))
    }

    /// Takes a run whose lock the caller holds over from jobs of a cluster, unless this command would not train it. Returns whether its record
    /// has changed.
    pub fn take_over(&mut self, run: usize, record: &RunRecord) -> Result<bool, ExecuteError> {
        let is_over = record.failure == Some(FailureKind::Diverged) || record.state == RunState::Pruned;
        if is_over && !self.options.retry {
            return Ok(false);
        }
        let Some(take_over) = self.take_over else { return Ok(false) };
        let Some(submission) = (take_over.take)(self.store, self.options.runs, &self.runs[run].key)? else {
            return Ok(false);
        };
        let message = format!("a job of submission {submission} began it: this command trains it instead");
        self.tell(run, &Event::Note { message })?;
        Ok(true)
    }

    /// Whether a process holds the lock of a run.
    pub fn is_locked(&self, run: usize) -> bool {
        is_locked(self.options.runs, &self.runs[run].key)
    }

    /// Stores that a run begins, or resumes from a step.
    pub fn start(&mut self, run: usize, environment: &Environment, from: Option<u64>) -> Result<(), ExecuteError> {
        let run = &self.runs[run];
        self.store.train_with(&run.key, &run.config)?;
        Ok(self.store.start(&run.key, environment, from)?)
    }

    /// Marks a run as failed together with the command. If the store itself fails, the next command finds a running run without a process.
    pub fn fail(&mut self, run: usize, message: &str) {
        let _ = self.store.mark(&self.runs[run].key, RunState::Failed, Some(FailureKind::Error), Some(message));
    }

    /// Tells the listener of an event.
    pub fn tell(&mut self, run: usize, event: &Event) -> Result<(), ExecuteError> {
        Ok(self.listener.on(&self.info(run), event)?)
    }

    /// Notes the record of a run of which the listener was informed when this command began.
    pub fn set_reported(&mut self, run: usize, record: &RunRecord) {
        self.reported[run] = Some((record.state, record.steps));
        self.done_before[run] = record.state == RunState::Completed;
    }

    /// The end of a run that this command did not complete.
    pub(super) fn done(&self, run: usize) -> End {
        if self.done_before[run] { End::AlreadyDone } else { End::DoneElsewhere }
    }

    /// Informs the listener of what another process has done with a run since the last time.
    pub fn catch_up(&mut self, run: usize, record: &RunRecord) -> Result<(), ExecuteError> {
        let now = (record.state, record.steps);
        if self.reported[run].replace(now) != Some(now) {
            let (info, events) = (self.info(run), past(self.store, record)?);
            self.listener.caught_up(&info, now, &events);
        }
        Ok(())
    }

    fn info(&self, position: usize) -> RunInfo {
        let run = &self.runs[position];
        RunInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            log_steps: run.config.train.log_steps,
            position: (position + 1, self.runs.len()),
            windows: run.windows(),
        }
    }

    /// The message that gives a worker this work.
    pub fn job(&self, run: usize, work: Work) -> WorkerJob {
        let run = &self.runs[run];
        WorkerJob {
            key: run.key.clone(),
            name: run.name.clone(),
            config: run.config.clone(),
            located: run.located.clone(),
            runs: self.options.runs.into(),
            work,
        }
    }

    /// What is left to do for a run whose lock the caller holds. Removes a checkpoint that would give a wrong result, and reports why a completed
    /// run is trained again.
    pub(in crate::execute) fn todo(&mut self, run: usize, record: &RunRecord) -> Result<Todo, ExecuteError> {
        let (position, run) = (run, &self.runs[run]);
        let (runs, retry) = (self.options.runs, self.options.retry);
        let folder = RunFolder::new(runs, &run.key);
        let problem = problem(self.store, run, runs, record)?;
        match record.state {
            RunState::Completed if problem.is_none() => {
                // It is left if a process ended right after the run's last event.
                folder.forget_state()?;
                return Ok(match probes::are_new(self.store, run, runs)? {
                    true => Todo::Probes { last_step: record.steps },
                    false => Todo::Nothing(self.done(position)),
                });
            }
            RunState::Failed if record.failure == Some(FailureKind::Diverged) && !retry => {
                return Ok(Todo::Nothing(End::DivergedBefore));
            }
            // Another command pruned it since this one began.
            RunState::Pruned if self.options.prune != Prune::None && !retry => {
                return Ok(Todo::Nothing(End::PrunedBefore));
            }
            _ => {}
        }
        if record.failure == Some(FailureKind::Diverged) {
            // It would diverge again from its checkpoint.
            folder.forget_state()?;
        }
        if let Some(problem) = problem {
            // A checkpoint that was left after the run's last event does not fit the new training.
            folder.forget_state()?;
            let message = format!("the run is completed, but {problem}: it is trained again from the beginning");
            self.tell(position, &Event::Note { message })?;
        }
        Ok(Todo::Train(StoredProgress::read(self.store, run)?))
    }

    /// Removes the checkpoint of an ended run, if a command was killed before it removed it.
    pub fn remove_checkpoint(&self, run: usize) -> Result<(), ExecuteError> {
        let folder = RunFolder::new(self.options.runs, &self.runs[run].key);
        let left = folder.state().exists() || folder.previous_state().exists() || folder.best().exists();
        // A process that holds the lock removes it itself.
        if left && let Some(_lock) = self.lock(run)? {
            folder.forget_state()?;
        }
        Ok(())
    }

    /// Prunes a run and returns how it ended; `None` if another process trains it.
    pub(super) fn prune(&mut self, Pruning { run, reason, at }: Pruning) -> Result<Option<End>, ExecuteError> {
        let Some(_lock) = self.lock(run)? else { return Ok(None) };
        let key = &self.runs[run].key;
        // A worker that briefly outlives its command possibly still writes.
        let _worker = train_run::lock_worker(self.options.runs, key)?;
        Ok(Some(match self.store.run(key)?.state {
            RunState::Completed => self.done(run),
            // Another command pruned it first.
            RunState::Pruned => End::PrunedBefore,
            _ => {
                self.tell(run, &Event::RunFinished(Outcome::Pruned { reason, at }))?;
                RunFolder::new(self.options.runs, key).forget_state()?;
                End::Pruned
            }
        }))
    }
}

/// Why a completed run has to be trained again, if it has.
fn problem(store: &mut Store, run: &Prepared, runs: &Path, record: &RunRecord) -> Result<Option<String>, ExecuteError> {
    if record.state != RunState::Completed {
        return Ok(None);
    }
    match stored_progress::missing_measurements(store, record)? {
        None => {
            // A model that is read is checked by digest.
            let is_read = probes::are_new(store, run, runs)?;
            Ok(kept::problem(store, runs, record, run.config.checkpoint.keep, is_read)?)
        }
        missing => Ok(missing),
    }
}

/// Whether something is left to do for a run: what [`Records::todo`] finds in a sweep that prunes nothing, without changing anything of it.
///
/// # Errors
/// The store or the run's folder cannot be read.
pub fn is_left(store: &mut Store, run: &Prepared, runs: &Path, retry: bool) -> Result<bool, ExecuteError> {
    let Some(record) = store.known(&run.key)? else { return Ok(true) };
    Ok(match record.state {
        RunState::Completed => problem(store, run, runs, &record)?.is_some() || probes::are_new(store, run, runs)?,
        RunState::Failed => retry || record.failure != Some(FailureKind::Diverged),
        _ => true,
    })
}

/// How a run computes its batches.
pub(in crate::execute) fn batch_of(run: &Prepared) -> Result<Batch, ExecuteError> {
    let train = &run.config.train;
    Ok(Batch {
        micro_batch_tokens: train.micro_batch_tokens,
        largest_part: largest_part(train, &run.tokens.windows(&run.splits.train), &run.tokens)?,
        rows: train.batch_size * train.gradient_accumulation_steps,
    })
}
