//! What is stored of a command's runs, and what is told of them: the store, the locks, the folders of runs and the listener.

use super::{board::End, options::SchedulerOptions, retry::Batch};
use crate::{
    event::{Event, FailureKind, Outcome, Split, When},
    execute::{
        ExecuteError, Prepared, RunFolder, kept,
        logged::{self, Logged},
        make, probes,
        protocol::{Job, Work},
    },
    metrics::Score,
    observe::{Listener, RunInfo, past},
    plan::Prune,
    store::{Environment, RunLock, RunRecord, RunState, Store, is_locked},
    train::largest_part,
};

/// The runs of a command as they are stored.
pub(in crate::execute) struct Records<'a> {
    store: &'a mut Store,
    runs: &'a [Prepared],
    options: &'a SchedulerOptions<'a>,
    listener: &'a mut dyn Listener,
    /// How each run was stored when the listener last heard of it, or began it.
    told: Vec<Option<(RunState, u64)>>,
    /// Whether each run was completed when this command began.
    done_before: Vec<bool>,
}

/// What is left to do for a run.
pub(super) enum Todo {
    /// It is trained, from its checkpoint where that builds on this.
    Train(Logged),
    /// It is done; its probe sentences are new.
    Probes {
        /// Step of its last evaluation.
        last_step: u64,
    },
    /// Nothing.
    Nothing(End),
}

impl<'a> Records<'a> {
    /// Of these runs. A recorder must be among the listeners.
    pub fn new(
        store: &'a mut Store,
        runs: &'a [Prepared],
        options: &'a SchedulerOptions<'a>,
        listener: &'a mut dyn Listener,
    ) -> Self {
        Self { store, runs, options, listener, told: vec![None; runs.len()], done_before: vec![false; runs.len()] }
    }

    /// The runs.
    pub fn runs(&self) -> &'a [Prepared] {
        self.runs
    }

    /// What the store holds of a run.
    pub fn read(&self, run: usize) -> Result<RunRecord, ExecuteError> {
        Ok(self.store.run(&self.runs[run].key)?)
    }

    /// The stored state of a run that may not be stored.
    pub fn state(&self, run: usize) -> Result<Option<RunState>, ExecuteError> {
        Ok(self.store.known(&self.runs[run].key)?.map(|record| record.state))
    }

    /// For how long a run has trained.
    pub fn seconds(&self, run: usize) -> Result<f64, ExecuteError> {
        let key = self.runs[run].key.as_str();
        Ok(self.store.training_seconds([key])?.remove(key).unwrap_or(0.0))
    }

    /// The dev scores of a run while and after it was trained, in the order of their steps.
    pub fn dev_scores(&self, run: usize) -> Result<Vec<(When, u64, Score)>, ExecuteError> {
        let metric = self.runs[run].config.checkpoint.metric;
        let evals = self.store.evals(&self.runs[run].key)?;
        let dev = evals.iter().filter(|eval| eval.split == Split::Dev && eval.when != When::Before);
        Ok(dev.map(|eval| (eval.when, eval.step, eval.metrics.score(metric))).collect())
    }

    /// How a run computes its batches.
    pub(super) fn batch(&self, run: usize) -> Result<Batch, ExecuteError> {
        let run = &self.runs[run];
        let train = &run.config.train;
        Ok(Batch {
            micro_batch_tokens: train.micro_batch_tokens,
            largest_part: largest_part(train, &run.splits.train, &run.tokens)?,
            rows: train.batch_size * train.gradient_accumulation_steps,
        })
    }

    /// The run's lock; none where another process has it.
    pub fn lock(&self, run: usize) -> Result<Option<RunLock>, ExecuteError> {
        Ok(RunLock::acquire(self.options.runs, &self.runs[run].key)?)
    }

    /// Whether a process is at a run.
    pub fn is_locked(&self, run: usize) -> bool {
        is_locked(self.options.runs, &self.runs[run].key)
    }

    /// The worker has begun a run, or continues it from a step.
    pub fn start(&mut self, run: usize, environment: &Environment, from: Option<u64>) -> Result<(), ExecuteError> {
        Ok(self.store.start(&self.runs[run].key, environment, from)?)
    }

    /// Marks a run as failed with the command that trained it. Where the store is what failed, the next command finds a run
    /// without a process.
    pub fn fail(&mut self, run: usize, message: &str) {
        let _ = self.store.mark(&self.runs[run].key, RunState::Failed, Some(FailureKind::Error), Some(message));
    }

    /// Tells the listener of an event.
    pub fn tell(&mut self, run: usize, event: &Event) -> Result<(), ExecuteError> {
        Ok(self.listener.on(&self.info(run), event)?)
    }

    /// Notes how a run was stored when this command began and the listener was told of it.
    pub fn was_told(&mut self, run: usize, record: &RunRecord) {
        self.told[run] = Some((record.state, record.steps));
        self.done_before[run] = record.state == RunState::Completed;
    }

    /// The end of a run that is completed, and not by this command.
    pub(super) fn done(&self, run: usize) -> End {
        if self.done_before[run] { End::AlreadyDone } else { End::DoneElsewhere }
    }

    /// Tells the listener what another process has done with a run since it was told last.
    pub fn catch_up(&mut self, run: usize, record: &RunRecord) -> Result<(), ExecuteError> {
        let now = (record.state, record.steps);
        if self.told[run].replace(now) != Some(now) {
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
        }
    }

    /// The order to a worker to do this.
    pub fn job(&self, run: usize, work: Work) -> Job {
        let run = &self.runs[run];
        Job {
            key: run.key.clone(),
            name: run.name.clone(),
            config: run.config.clone(),
            located: run.located.clone(),
            runs: self.options.runs.into(),
            work,
        }
    }

    /// What is left to do for a run whose lock is held. A state that would lead to a wrong result is removed, and the user is
    /// told why a completed run is trained again.
    pub(super) fn todo(&mut self, run: usize, record: &RunRecord) -> Result<Todo, ExecuteError> {
        let (position, run) = (run, &self.runs[run]);
        let (runs, retry) = (self.options.runs, self.options.retry);
        let folder = RunFolder::new(runs, &run.key);
        let problem = match record.state {
            RunState::Completed => match logged::missing(self.store, record)? {
                None => {
                    // A model that is read is looked at closely.
                    let is_read = probes::are_new(self.store, run, runs)?;
                    kept::problem(self.store, runs, record, run.config.checkpoint.keep, is_read)?
                }
                missing => missing,
            },
            _ => None,
        };
        match record.state {
            RunState::Completed if problem.is_none() => {
                // A process that ended right after the run's last event left it.
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
            // From its checkpoint it would take the same steps again.
            folder.forget_state()?;
        }
        if let Some(problem) = problem {
            // What a process that ended right after the run's last event left is no checkpoint of what is trained now.
            folder.forget_state()?;
            let message = format!("the run is completed, but {problem}: it is trained again from the beginning");
            self.tell(position, &Event::Note { message })?;
        }
        Ok(Todo::Train(Logged::read(self.store, run)?))
    }

    /// Removes the state of a run that is done with, where a command was killed before it could.
    pub fn tidy_up_after(&self, run: usize) -> Result<(), ExecuteError> {
        let folder = RunFolder::new(self.options.runs, &self.runs[run].key);
        let left = folder.state().exists() || folder.previous_state().exists() || folder.best().exists();
        // Who holds the lock is about to do it.
        if left && let Some(_lock) = self.lock(run)? {
            folder.forget_state()?;
        }
        Ok(())
    }

    /// Ends a run that its sweep is done with, and says how it ended; none where another process is at it.
    pub(super) fn prune(&mut self, run: usize, reason: String) -> Result<Option<End>, ExecuteError> {
        let Some(_lock) = self.lock(run)? else { return Ok(None) };
        let key = &self.runs[run].key;
        // A worker that has outlived its command by a moment may still be writing.
        let _worker = make::alone(self.options.runs, key)?;
        Ok(Some(match self.store.run(key)?.state {
            RunState::Completed => self.done(run),
            // Another command was quicker.
            RunState::Pruned => End::PrunedBefore,
            _ => {
                self.tell(run, &Event::RunFinished(Outcome::Pruned { reason }))?;
                RunFolder::new(self.options.runs, key).forget_state()?;
                End::Pruned
            }
        }))
    }
}
