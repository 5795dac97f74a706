//! Makes a stored run again.

use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
};

use super::{
    super::{DeviceChoice, ExecuteError, Kept, Prepared, RunFolder, Workbench, environment, make::load, own, threads},
    compare::{Comparison, Verification},
    grounds,
};
use crate::{
    assets::{Library, Settings},
    engine::{Recipe, engine},
    event::{Event, FailureKind, Outcome},
    format::short,
    observe::{Listener, RunInfo},
    plan::{Keep, PlannedRun, RunConfig},
    store::{RunLock, RunRecord, RunState, Store},
    train::{Outputs, TrainError, Training, fit, reading_order},
};

/// How a run is verified.
pub struct Verifier<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// The device; that of the run where it is `auto`.
    pub device: DeviceChoice,
    /// Only the first so many steps; none: all that are stored.
    pub steps: Option<u64>,
    /// Whether no connection may be made.
    pub offline: bool,
    /// Who is told how far it is.
    pub listener: &'a mut dyn Listener,
    /// Whether the user asked to stop.
    pub stop: &'a dyn Fn() -> bool,
}

/// The folder that holds what the verification of a run has to put on the disk, as long as it goes on.
pub fn verify_folder(runs: &Path, key: &str) -> PathBuf {
    runs.join(name(key))
}

/// Its name, which is also that of the lock of who uses it.
fn name(key: &str) -> String {
    format!("{PREFIX}{}", short(key))
}

/// What the names of such folders begin with.
pub(in crate::execute) const PREFIX: &str = "verify-";

impl Verifier<'_> {
    /// Makes a run again and compares it with what is stored. Stores nothing, and stops at the first difference.
    ///
    /// # Errors
    /// Where the run cannot be compared: it goes on at this moment, or has not begun; its data or its model are not what they
    /// were; it was made by other arithmetic. [`TrainError::StopRequested`] where the user asked to stop.
    pub fn verify(&mut self, store: &Store, record: &RunRecord) -> Result<Verification, ExecuteError> {
        let cannot = |message: String| Err(ExecuteError::Setting(format!("{}: {message}", record.name)));
        if record.state == RunState::Running {
            return cannot("it is running: verify it when it has ended".into());
        }
        let Some(made_with) = record.environment.as_ref().filter(|_| record.steps > 0) else {
            return cannot("no step of it is stored, so there is nothing to compare".into());
        };
        if self.steps == Some(0) {
            return cannot("--steps 0 compares nothing".into());
        }
        let (device, device_name) = grounds::device(self.device, made_with)?.open()?;
        let config = RunConfig { probes: Vec::new(), ..with_places(record, self.runs) };
        let planned = PlannedRun { trial: 0, name: record.name.clone(), point: Vec::new(), config };
        let device_choice: DeviceChoice = device_name.parse().unwrap_or_default();
        super::super::check_engine(&planned.config, device_choice)?;
        let mut run = Workbench::new(Library::new(Settings::from_env(self.offline)?)).prepare(&planned)?;
        device_choice.supports(run.config.train.engine, run.requirements())?;
        if let Some(tokens) = made_with.micro_batch_tokens {
            run.config.train.micro_batch_tokens = tokens;
        }
        let here = environment(&run, &device_name);
        let (tolerance, mut notes) = grounds::compare(made_with, &here, run.config.train.precision)?;

        let folder = Folder::make(self.runs, &record.key)?;
        let mut comparison = Comparison::new(store, record, tolerance, self.steps)?;
        let order = reading_order(&run.config.train, &run.splits, 0);
        let _ahead = run.tokens.ahead(order, device.idle_threads(threads()));
        let loaded = load(&run)?;
        let mut engine =
            engine(&run.shape, loaded.parameters, &Recipe::new(run.config.data.task(), &run.config.train), &device)?;
        let outcome = self.train(&run, &folder, engine.as_mut(), &mut comparison);
        match outcome {
            Ok(Outcome::Completed) => comparison.completed(),
            // It was cut short here where everything that is wanted has been compared, or the first difference has been found.
            Ok(_) if !comparison.is_over() => return Err(TrainError::StopRequested.into()),
            Ok(_) => {}
            Err(e @ TrainError::Diverged { .. }) => {
                comparison.diverged(&e.to_string(), record.failure == Some(FailureKind::Diverged));
            }
            Err(e) => return Err(e.into()),
        }
        if record.state == RunState::Completed && record.config.checkpoint.keep != Keep::None && !comparison.is_over() {
            match Kept::of(store, self.runs, record)? {
                Some(kept) => match kept.check() {
                    Ok(()) => comparison.kept_is_sound(),
                    Err(ExecuteError::Kept(damaged)) => comparison.kept_is_damaged(damaged.what),
                    Err(e) => return Err(e),
                },
                None => notes.push("its kept model is not there, and was not looked at".into()),
            }
        }
        Ok(comparison.result(notes))
    }

    fn train(
        &mut self,
        run: &Prepared,
        folder: &Folder,
        engine: &mut dyn crate::engine::Engine,
        comparison: &mut Comparison,
    ) -> Result<Outcome, TrainError> {
        let info = RunInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            log_steps: run.config.train.log_steps,
            position: (1, 1),
        };
        let training = Training {
            task: run.config.data.task(),
            train: &run.config.train,
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
            // What is trained here is shown, and not what the run has.
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

/// The stored config, with places of files as in the run's folder where that is still there: they hold from any folder.
pub(in crate::execute) fn with_places(record: &RunRecord, runs: &Path) -> RunConfig {
    let mut config = record.config.clone();
    let text = fs::read_to_string(RunFolder::new(runs, &record.key).config()).unwrap_or_default();
    if let Ok(written) = toml::from_str::<RunConfig>(&text) {
        config.model.source = written.model.source;
        config.data.source = written.data.source;
    }
    config
}

/// A folder that is removed when this ends.
struct Folder {
    path: PathBuf,
    _lock: RunLock,
}

impl Folder {
    fn make(runs: &Path, key: &str) -> Result<Self, ExecuteError> {
        let lock = RunLock::acquire(runs, &name(key))?;
        let twice = || ExecuteError::Setting("another process verifies this run at this moment".into());
        let mut folder = Self { path: verify_folder(runs, key), _lock: lock.ok_or_else(twice)? };
        if folder.path.exists() && !own::is_verification(&folder.path) {
            let path = std::mem::take(&mut folder.path).display().to_string();
            return Err(ExecuteError::Setting(format!(
                "{path} is in the way: it holds files that taper did not write"
            )));
        }
        fs::create_dir_all(&folder.path).map_err(|error| ExecuteError::Io { path: folder.path.clone(), error })?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where that fails `taper gc` finds it. One that is somebody else's was given up before.
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
