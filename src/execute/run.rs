//! Making runs: who owns them, what is left to do, what remains.

use std::{path::Path, time::Duration};

use candle_core::Device;

use super::{ExecuteError, Prepared, RunFolder, environment, probes};
use crate::{
    engine::{Engine, engine},
    event::{Event, FailureKind, Outcome},
    model::{Loaded, Parameters, read_weights},
    observe::{Listener, RunInfo},
    plan::Keep,
    store::{RunLock, RunState, Store},
    train::{Job, Outputs, Resumed, Saved, TrainError, fit, reading_order},
};

/// Between looks at runs that another process is at.
const WAIT: Duration = Duration::from_millis(300);

/// How many runs ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Trained to the end now.
    pub completed: usize,
    /// Were done before.
    pub already_done: usize,
    /// Ended by a failure, now or (diverged runs) before.
    pub failed: usize,
    /// Not begun or not ended, because of a request to stop.
    pub stopped: usize,
}

/// What runs are made with.
pub struct Runner<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// The device.
    pub device: Device,
    /// Its name.
    pub device_name: String,
    /// Who is told of every event. A recorder must be among them.
    pub listener: &'a mut dyn Listener,
    /// Whether the user asked to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Runs that diverged are made again; without it they stay failed, since they would diverge again.
    pub retry: bool,
    /// Told of runs that are not made, with the reason.
    pub skipped: &'a mut dyn FnMut(&Prepared, &str),
}

/// Makes every run that is not done, in order. A run that fails does not keep the others from being made; one that another
/// process is at is waited for, and made here if that process does not end it.
pub fn run_all(store: &mut Store, runs: &[Prepared], runner: &mut Runner) -> Result<Tally, ExecuteError> {
    let mut tally = Tally::default();
    let mut open: Vec<usize> = (0..runs.len()).collect();
    while !open.is_empty() {
        let mut elsewhere = Vec::new();
        for &i in &open {
            if (runner.stop)() {
                tally.stopped += 1;
                continue;
            }
            let info = RunInfo {
                key: runs[i].key.clone(),
                name: runs[i].name.clone(),
                log_steps: runs[i].config.train.log_steps,
                position: (i + 1, runs.len()),
            };
            match RunLock::acquire(runner.runs, &runs[i].key)? {
                Some(_lock) => settle(store, &runs[i], runner, &info, &mut tally)?,
                None => elsewhere.push(i),
            }
        }
        open = elsewhere;
        if !open.is_empty() && !(runner.stop)() {
            std::thread::sleep(WAIT);
        }
    }
    Ok(tally)
}

/// Brings one run, whose lock is held, to an end.
fn settle(
    store: &mut Store,
    run: &Prepared,
    runner: &mut Runner,
    info: &RunInfo,
    tally: &mut Tally,
) -> Result<(), ExecuteError> {
    let record = store.run(&run.key)?;
    if record.state == RunState::Completed && !model_is_missing(runner.runs, run) {
        // A process that ended right after the run's last event left it.
        RunFolder::new(runner.runs, &run.key).forget_state()?;
        let caught_up = probes::catch_up(store, run, runner, info)?;
        (runner.skipped)(run, if caught_up { "done; new probes scored" } else { "done" });
        tally.already_done += 1;
        return Ok(());
    }
    if record.failure == Some(FailureKind::Diverged) && record.state == RunState::Failed && !runner.retry {
        (runner.skipped)(run, "it diverged before and would again (--retry makes it all the same)");
        tally.failed += 1;
        return Ok(());
    }
    if record.failure == Some(FailureKind::Diverged) {
        // From its checkpoint it would take the same steps again.
        RunFolder::new(runner.runs, &run.key).forget_state()?;
    }
    match make(store, run, runner, info)? {
        Outcome::Completed => tally.completed += 1,
        Outcome::Failed { .. } => tally.failed += 1,
        Outcome::Interrupted | Outcome::Paused { .. } | Outcome::Pruned { .. } => tally.stopped += 1,
    }
    Ok(())
}

/// Whether a run that kept a model lost it (somebody deleted the folder).
fn model_is_missing(runs: &Path, run: &Prepared) -> bool {
    let folder = RunFolder::new(runs, &run.key);
    match run.config.checkpoint.keep {
        Keep::None => false,
        Keep::All if !folder.step_models().is_dir() => true,
        _ => !folder.model().join("model.safetensors").is_file(),
    }
}

/// Makes one run; only an error that would meet every other run too is an error here.
fn make(store: &mut Store, run: &Prepared, runner: &mut Runner, info: &RunInfo) -> Result<Outcome, ExecuteError> {
    let folder = RunFolder::new(runner.runs, &run.key);
    folder.create(&run.config)?;
    let Resumed { saved, notes } = folder.resume(&run.config)?;
    for message in notes {
        runner.listener.on(info, &Event::Note { message })?;
    }
    let step = saved.as_ref().map(|saved| saved.state.step);
    store.start(&run.key, &environment(run, &runner.device_name), step)?;
    let outcome = match train(run, &folder, saved, runner, info) {
        Ok(outcome) => outcome,
        Err(ExecuteError::Train(TrainError::Listener(e))) => {
            // Best told by the store; where that is what failed, the next command finds a run without a process.
            let message = e.to_string();
            let _ = store.mark(&run.key, RunState::Failed, Some(FailureKind::Error), Some(&message));
            return Err(listener_failed(e));
        }
        Err(e) => {
            let kind = match &e {
                ExecuteError::Train(e) => e.kind(),
                _ => FailureKind::Error,
            };
            Outcome::Failed { kind, message: e.to_string() }
        }
    };
    runner.listener.on(info, &Event::RunFinished(outcome.clone()))?;
    if outcome == Outcome::Completed {
        folder.forget_state()?;
    }
    Ok(outcome)
}

fn listener_failed(e: Box<dyn std::error::Error + Send + Sync>) -> ExecuteError {
    match e.downcast::<crate::observe::ObserveError>() {
        Ok(e) => ExecuteError::Observe(*e),
        Err(e) => ExecuteError::Setting(e.to_string()),
    }
}

/// The weights that a run begins with.
pub(super) fn load(run: &Prepared) -> Result<Loaded, ExecuteError> {
    let (labels, seed) = (run.dataset.labels.len(), run.config.train.init_seed);
    Ok(match &run.files {
        Some(files) => Parameters::load(&run.shape, labels, read_weights(&files.weights)?, &files.weights, seed)?,
        None => Loaded { parameters: Parameters::fresh(&run.shape, labels, seed)?, notes: Vec::new() },
    })
}

fn train(
    run: &Prepared,
    folder: &RunFolder,
    saved: Option<Saved>,
    runner: &mut Runner,
    info: &RunInfo,
) -> Result<Outcome, ExecuteError> {
    let labels = &run.dataset.labels;
    let step = saved.as_ref().map_or(0, |saved| saved.state.step);
    let _ahead = run.tokens.ahead(reading_order(&run.config.train, &run.splits, step));
    let loaded = load(run)?;
    for message in loaded.notes {
        runner.listener.on(info, &Event::Note { message })?;
    }
    let mut engine = engine(&run.shape, loaded.parameters, &(&run.config.train).into(), &runner.device)?;
    let write = |to: &Path, engine: &dyn Engine| {
        RunFolder::write_model(to, &run.shape, &engine.parameters(), labels, &run.tokenizer, run.config.data.max_length)
    };
    let export = |step: u64, engine: &dyn Engine| {
        write(&folder.step_model(step), engine).map_err(|e| TrainError::Export(Box::new(e)))
    };
    let job = Job {
        train: &run.config.train,
        checkpoint: &run.config.checkpoint,
        dataset: &run.dataset,
        tokens: &run.tokens,
        splits: &run.splits,
        probes: &run.probes,
        outputs: Outputs { state: Some(folder.state()), best: folder.best(), export: &export },
        pauses: &|_| false,
    };
    let listener = &mut *runner.listener;
    let mut emit = |event: Event| listener.on(info, &event).map_err(Into::into);
    let outcome = fit(&job, engine.as_mut(), saved, &mut emit, runner.stop)?;
    if outcome == Outcome::Completed && run.config.checkpoint.keep != Keep::None {
        write(&folder.model(), engine.as_ref())?;
    }
    Ok(outcome)
}
