//! One run made, in a worker: from its checkpoint or from the beginning, to its end or to where it pauses.

use std::{cell::RefCell, io, path::Path, thread, time::Duration};

use super::{ExecuteError, Prepared, RunFolder, environment, protocol::Report, worker::Line};
use crate::{
    engine::{Device, Engine, engine},
    event::{Event, FailureKind, Outcome},
    model::{Loaded, Parameters, Weights},
    plan::Keep,
    store::{Environment, RunLock},
    train::{Job, Outputs, Resumed, Saved, TrainError, fit, model_failure, reading_order},
};

/// How often the lock of a worker whose command was killed is asked for: such a worker ends as soon as it sees that.
const PATIENCE: (u32, Duration) = (40, Duration::from_millis(50));

/// Makes a run and reports it, the last report being its [`Event::RunFinished`].
///
/// # Errors
/// Where the command is gone. What goes wrong with the run itself is reported.
pub(super) fn make(
    mut run: Prepared,
    runs: &Path,
    rungs: &[u64],
    micro_batch_tokens: Option<usize>,
    device: &(Device, String),
    line: &Line,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    // The command holds the run's lock. This one keeps out a worker that has outlived its command by a moment.
    let failed = |e: &dyn std::fmt::Display| {
        let outcome = Outcome::Failed { kind: FailureKind::Error, message: e.to_string() };
        line.event(Event::RunFinished(outcome))
    };
    let _lock = match alone(runs, &run.key) {
        Ok(lock) => lock,
        Err(e) => return failed(&e),
    };
    let folder = RunFolder::new(runs, &run.key);
    let saved = match begin(&run, &folder, line) {
        Ok(saved) => saved,
        Err(End::Gone(e)) => return Err(e),
        Err(End::Failed(e)) => return failed(&e),
    };
    run.config.train.micro_batch_tokens = micro_batch_tokens.unwrap_or(run.config.train.micro_batch_tokens);
    let environment = Environment { micro_batch_tokens, ..environment(&run, &device.1) };
    let resumed_from = saved.as_ref().map(|saved| saved.state.step);
    line.record(&Report::Started { environment: Box::new(environment), resumed_from })?;
    let outcome = match train(&run, &folder, saved, rungs, &device.0, line, stop) {
        Ok(outcome) => outcome,
        Err(End::Gone(e)) => return Err(e),
        Err(End::Failed(e)) => {
            let kind = match &e {
                ExecuteError::Train(e) => e.kind(),
                // Before its first step.
                ExecuteError::Model(e) => model_failure(e),
                _ => FailureKind::Error,
            };
            Outcome::Failed { kind, message: e.to_string() }
        }
    };
    let completed = outcome == Outcome::Completed;
    line.event(Event::RunFinished(outcome))?;
    if completed && let Err(e) = folder.forget_state() {
        // The run is done and recorded; what is left takes room only, and the next command or `taper gc` removes it.
        line.event(Event::Note { message: format!("its checkpoint could not be removed: {e}") })?;
    }
    Ok(())
}

/// Why a run ends without an outcome of training.
enum End {
    /// Nobody listens any more.
    Gone(io::Error),
    /// Something to tell.
    Failed(ExecuteError),
}

impl<E: Into<ExecuteError>> From<E> for End {
    fn from(e: E) -> Self {
        Self::Failed(e.into())
    }
}

/// The lock of the worker at this run.
pub(super) fn alone(runs: &Path, key: &str) -> Result<RunLock, ExecuteError> {
    let name = format!("{key}.worker");
    for _ in 0..PATIENCE.0 {
        if let Some(lock) = RunLock::acquire(runs, &name)? {
            return Ok(lock);
        }
        thread::sleep(PATIENCE.1);
    }
    Err(ExecuteError::Setting(format!("another process is still at this run ({})", runs.join("locks").display())))
}

/// Makes the run's folder and takes up what lies there.
fn begin(run: &Prepared, folder: &RunFolder, line: &Line) -> Result<Option<Saved>, End> {
    folder.create(&run.pinned())?;
    let Resumed { saved, notes } = folder.resume(&run.config)?;
    for message in notes {
        line.event(Event::Note { message }).map_err(End::Gone)?;
    }
    Ok(saved)
}

/// The weights that a run begins with.
pub(super) fn load(run: &Prepared) -> Result<Loaded, ExecuteError> {
    let (labels, seed) = (run.labels(), run.config.train.init_seed);
    Ok(match &run.files {
        Some(files) => Parameters::read(&run.shape, &labels, &Weights::open(&files.weights)?, seed)?,
        None => Loaded { parameters: Parameters::fresh(&run.shape, labels.len(), seed)?, notes: Vec::new() },
    })
}

fn train(
    run: &Prepared,
    folder: &RunFolder,
    saved: Option<Saved>,
    rungs: &[u64],
    device: &Device,
    line: &Line,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, End> {
    let labels = &run.dataset.labels;
    let step = saved.as_ref().map_or(0, |saved| saved.state.step);
    let _ahead = run.tokens.ahead(reading_order(&run.config.train, &run.splits, step));
    for warning in &run.warnings {
        line.event(Event::Warned(warning.clone())).map_err(End::Gone)?;
    }
    let loaded = load(run)?;
    for message in loaded.notes {
        line.event(Event::Note { message }).map_err(End::Gone)?;
    }
    let mut engine = engine(&run.shape, loaded.parameters, &(&run.config.train).into(), device)?;
    let write = |to: &Path, engine: &dyn Engine| {
        RunFolder::write_model(to, &run.shape, &engine.parameters(), labels, &run.tokenizer, run.config.data.max_length)
    };
    let export = |step: u64, engine: &dyn Engine| {
        write(&folder.step_model(step), engine).map_err(|e| TrainError::Export(Box::new(e)))
    };
    // Where the command is gone nothing can be told, and nothing has to be: the first such error ends everything.
    let gone = RefCell::new(None);
    let pauses = |step: u64| {
        rungs.contains(&step)
            && !line.may_go_on(step).unwrap_or_else(|e| {
                gone.borrow_mut().get_or_insert(e);
                false
            })
    };
    let job = Job {
        train: &run.config.train,
        checkpoint: &run.config.checkpoint,
        dataset: &run.dataset,
        tokens: &run.tokens,
        splits: &run.splits,
        probes: &run.probes,
        outputs: Outputs { state: Some(folder.state()), best: folder.best(), export: &export },
        pauses: &pauses,
    };
    let mut emit = |event: Event| {
        line.event(event).map_err(|e| {
            gone.borrow_mut().get_or_insert(e);
            "the command is gone".into()
        })
    };
    let outcome = fit(&job, engine.as_mut(), saved, &mut emit, stop);
    if let Some(e) = gone.into_inner() {
        return Err(End::Gone(e));
    }
    let outcome = outcome?;
    if outcome == Outcome::Completed && run.config.checkpoint.keep != Keep::None {
        write(&folder.model(), engine.as_ref())?;
    }
    Ok(outcome)
}
