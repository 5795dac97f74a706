//! Trains a stored run again.

use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{
        DeviceChoice, ExecuteError, Kept, Prepared, RunFolder, Workbench, environment, owned_files, threads,
        train_run::load_weights,
    },
    comparability,
    compare::{Comparison, Verification},
};
use crate::{
    assets::{Library, Settings},
    engine::{Recipe, engine},
    event::{Event, FailureKind, Outcome},
    format::short,
    observe::{Listener, RunInfo},
    plan::{Keep, PlannedRun, RunConfig},
    store::{RunLock, RunRecord, RunState, Store},
    train::{Outputs, TrainError, Training, fit},
};

/// Settings for verifying a run.
pub struct Verifier<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// The device; `auto` is the device of the run.
    pub device: DeviceChoice,
    /// The number of steps to compare; `None`: all that are stored.
    pub steps: Option<u64>,
    /// Whether connections are forbidden.
    pub offline: bool,
    /// The listener that shows the progress.
    pub listener: &'a mut dyn Listener,
    /// Whether the user asked to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Called with the folder of temporary files once it is created and belongs to this verification, which removes it at its end.
    pub created: &'a dyn Fn(&Path),
}

/// The folder for the temporary files of the verification of a run.
fn verify_folder(runs: &Path, key: &str) -> PathBuf {
    runs.join(name(key))
}

/// Its name, which is also the name of its lock.
fn name(key: &str) -> String {
    format!("{PREFIX}{}", short(key))
}

/// Prefix of the names of such folders.
pub(in crate::execute) const PREFIX: &str = "verify-";

impl Verifier<'_> {
    /// Trains a run again and compares it with the stored one. Stores nothing, and stops at the first difference.
    ///
    /// # Errors
    /// If the run cannot be compared: it is running or has not begun, its data or model changed, or it was trained by another version of the
    /// arithmetic. [`TrainError::StopRequested`] if the user asked to stop.
    pub fn verify(&mut self, store: &Store, record: &RunRecord) -> Result<Verification, ExecuteError> {
        let cannot = |message: String| Err(ExecuteError::Setting(format!("{}: {message}", record.name)));
        if record.state == RunState::Running {
            return cannot("it is running: verify it when it has ended".into());
        }
        let Some(trained_with) = record.environment.as_ref().filter(|_| record.steps > 0) else {
            return cannot("no step of it is stored, so there is nothing to compare".into());
        };
        if self.steps == Some(0) {
            return cannot("--steps 0 compares nothing".into());
        }
        let (device, device_name) = comparability::device(self.device, trained_with)?.open()?;
        let config = RunConfig { probes: Vec::new(), ..with_stored_paths(record, self.runs) };
        let planned = PlannedRun { trial: 0, name: record.name.clone(), point: Vec::new(), config };
        let device_choice: DeviceChoice = device_name.parse().unwrap_or_default();
        super::super::check_engine(&planned.config, device_choice)?;
        let mut run = Workbench::new(Library::new(Settings::from_env(self.offline)?)).prepare(&planned)?;
        device_choice.supports(run.config.train.engine, run.requirements())?;
        if let Some(tokens) = trained_with.micro_batch_tokens {
            run.config.train.micro_batch_tokens = tokens;
        }
        let here = environment(&run, &device_name);
        let (tolerance, mut notes) = comparability::compare(trained_with, &here, run.config.train.precision)?;

        let folder = VerificationFolder::create(self.runs, &record.key)?;
        (self.created)(&folder.path);
        let mut comparison = Comparison::new(store, record, tolerance, self.steps)?;
        let _ahead = run.read_ahead(0, device.idle_threads(threads()));
        let loaded = load_weights(&run)?;
        let mut engine =
            engine(&run.shape, loaded.parameters, &Recipe::new(run.config.data.task(), &run.config.train), &device)?;
        let outcome = self.train(&run, &folder, engine.as_mut(), &mut comparison);
        match outcome {
            Ok(Outcome::Completed) => comparison.completed(),
            // Otherwise it was stopped here, after the last step to compare or the first difference.
            Ok(_) if !comparison.is_over() => return Err(TrainError::StopRequested.into()),
            Ok(_) => {}
            Err(e @ TrainError::Diverged { .. }) => {
                comparison.diverged(&e.to_string(), record.failure == Some(FailureKind::Diverged));
            }
            Err(e) => return Err(e.into()),
        }
        if record.state == RunState::Completed && record.config.checkpoint.keep != Keep::None && comparison.agrees() {
            match Kept::of(store, self.runs, record)? {
                Some(kept) => match kept.check() {
                    Ok(()) => comparison.kept_is_sound(),
                    Err(ExecuteError::Kept(damaged)) => comparison.kept_is_damaged(damaged.what),
                    Err(e) => return Err(e),
                },
                None => notes.push("its kept model is missing, so it was not compared".into()),
            }
        }
        Ok(comparison.result(notes))
    }

    fn train(
        &mut self,
        run: &Prepared,
        folder: &VerificationFolder,
        engine: &mut dyn crate::engine::Engine,
        comparison: &mut Comparison,
    ) -> Result<Outcome, TrainError> {
        let info = RunInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            log_steps: run.config.train.log_steps,
            position: (1, 1),
            windows: run.windows(),
        };
        let training = Training {
            task: run.config.data.task(),
            train: &run.config.train,
            choices: run.config.data.choices(),
            checkpoint: &run.config.checkpoint,
            dataset: &run.dataset,
            tokens: &run.tokens,
            splits: &run.splits,
            probes: &[],
            outputs: Outputs {
                run: &run.key,
                state: None,
                best: folder.path.join("best.safetensors"),
                export: &|_, _| Ok(()),
            },
            pauses: &|_| false,
        };
        let over = Cell::new(false);
        let comparison = RefCell::new(comparison);
        let mut emit = |event: Event| {
            let mut comparison = comparison.borrow_mut();
            comparison.take(&event);
            over.set(comparison.is_over());
            // The progress bar shows the steps that are trained here.
            let event = match event {
                Event::RunStarted { total_steps, steps_per_epoch, resumed_from, rows, parameters, train_labels } => {
                    let total_steps = self.steps.unwrap_or(total_steps).min(total_steps);
                    Event::RunStarted { total_steps, steps_per_epoch, resumed_from, rows, parameters, train_labels }
                }
                event => event,
            };
            self.listener.on(&info, &event).map_err(Into::into)
        };
        fit(&training, engine, None, &mut emit, &|| over.get() || (self.stop)())
    }
}

/// The stored config, with the paths of files from `run.toml` in the run's folder if it exists: these are absolute.
pub(in crate::execute) fn with_stored_paths(record: &RunRecord, runs: &Path) -> RunConfig {
    let mut config = record.config.clone();
    let text = fs::read_to_string(RunFolder::new(runs, &record.key).config()).unwrap_or_default();
    if let Ok(written) = toml::from_str::<RunConfig>(&text) {
        config.model.source = written.model.source;
        config.data.source = written.data.source;
        (config.data.dev, config.data.test) = (written.data.dev, written.data.test);
    }
    config
}

/// A folder that is removed when this is dropped.
struct VerificationFolder {
    path: PathBuf,
    _lock: RunLock,
}

impl VerificationFolder {
    fn create(runs: &Path, key: &str) -> Result<Self, ExecuteError> {
        let lock = RunLock::acquire(runs, &name(key))?;
        let twice = || ExecuteError::Setting("another process is already verifying this run".into());
        let mut folder = Self { path: verify_folder(runs, key), _lock: lock.ok_or_else(twice)? };
        if folder.path.exists() && !owned_files::is_verification(&folder.path) {
            let path = std::mem::take(&mut folder.path).display().to_string();
            return Err(ExecuteError::Setting(format!(
                "{path} is in the way: it contains files that taper did not write; move it away"
            )));
        }
        fs::create_dir_all(&folder.path).map_err(|error| ExecuteError::Io { path: folder.path.clone(), error })?;
        Ok(folder)
    }
}

impl Drop for VerificationFolder {
    fn drop(&mut self) {
        // If that fails, `taper gc` finds it. The path is empty for a folder with foreign files.
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
