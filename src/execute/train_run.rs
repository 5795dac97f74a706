//! Trains one run in a worker: from its checkpoint or from step 0, to its end or to the rung where it pauses.

use std::{cell::RefCell, io, panic::resume_unwind, path::Path, thread, time::Duration};

use super::{
    ExecuteError, Prepared, RunFolder, TrainedModel,
    checks::freezes_random_weights,
    connection::Connection,
    environment, kept,
    prepare::is_weights,
    protocol::Report,
    result_warning::result_warning,
    stored_progress::{StoredProgress, evaluated_splits},
};
use crate::{
    engine::{Arithmetic, Device, Engine, Recipe},
    event::{Decided, Event, FailureKind, Outcome, Split, When},
    model::{Loaded, Parameters, Weights},
    plan::Keep,
    store::{Environment, RunLock, holder},
    train::{Checkpoint, Outputs, ResumeCheck, Resumed, TrainError, TrainState, Training, fit, model_failure},
};

/// How often, and at which interval, the lock is tried that a worker whose command was killed still holds: such a worker ends as soon as
/// it notices.
const PATIENCE: (u32, Duration) = (40, Duration::from_millis(50));

/// The command's instructions for training a run.
pub(super) struct Assignment<'a> {
    /// The folder of all runs.
    pub runs: &'a Path,
    /// What the database holds of the run.
    pub stored: &'a StoredProgress,
    /// Steps at which the worker asks whether the run continues.
    pub rungs: &'a [u64],
    /// Replaces `train.micro_batch_tokens` if memory ran out with that of the spec.
    pub micro_batch_tokens: Option<usize>,
}

/// Trains a run and reports it; the last event is [`Event::RunFinished`].
///
/// # Errors
/// If the command is gone. Errors of the run itself are reported to the command.
pub(super) fn train_run(
    mut run: Prepared,
    assignment: &Assignment,
    device: &(Device, String),
    connection: &Connection,
    stop: &dyn Fn() -> bool,
) -> io::Result<()> {
    let &Assignment { runs, stored, rungs, micro_batch_tokens } = assignment;
    // The command holds the run's lock. This lock excludes a worker that briefly outlives its command.
    let failed = |e: &dyn std::fmt::Display| {
        let outcome = Outcome::Failed { kind: FailureKind::Error, message: e.to_string() };
        connection.emit(Event::RunFinished(outcome))
    };
    let _lock = match lock_worker(runs, &run.key) {
        Ok(lock) => lock,
        Err(e) => return failed(&e),
    };
    let folder = RunFolder::new(runs, &run.key);
    let saved = match open_checkpoint(&run, &folder, stored, connection) {
        Ok(saved) => saved,
        Err(TrainRunError::CommandGone(e)) => return Err(e),
        Err(TrainRunError::Failed(e)) => return failed(&e),
    };
    run.config.train.micro_batch_tokens = micro_batch_tokens.unwrap_or(run.config.train.micro_batch_tokens);
    let environment = Environment { micro_batch_tokens, ..environment(&run, &device.1) };
    let resumed_from = saved.as_ref().map(|saved| saved.state.step);
    connection.report_and_wait(&Report::Started { environment: Box::new(environment), resumed_from })?;
    let outcome = match train(&run, &folder, saved, rungs, &device.0, connection, stop) {
        Ok(outcome) => outcome,
        Err(TrainRunError::CommandGone(e)) => return Err(e),
        Err(TrainRunError::Failed(e)) => {
            let kind = match &e {
                ExecuteError::Train(e) => e.kind(),
                // The error occurred before the first step.
                ExecuteError::Model(e) => model_failure(e),
                _ => FailureKind::Error,
            };
            Outcome::Failed { kind, message: e.to_string() }
        }
    };
    let completed = outcome == Outcome::Completed;
    connection.emit(Event::RunFinished(outcome))?;
    if completed && let Err(e) = folder.forget_state() {
        // The run is completed and stored. The next command or `taper gc` removes the rest.
        connection.emit(Event::Note { message: format!("its checkpoint could not be removed: {e}") })?;
    }
    Ok(())
}

/// Why a run ended without an outcome of training.
enum TrainRunError {
    /// The command ended.
    CommandGone(io::Error),
    /// The run failed with this error.
    Failed(ExecuteError),
}

impl<E: Into<ExecuteError>> From<E> for TrainRunError {
    fn from(e: E) -> Self {
        Self::Failed(e.into())
    }
}

/// Takes the lock of the worker that trains the run.
///
/// # Errors
/// If another process keeps holding it.
pub(super) fn lock_worker(runs: &Path, key: &str) -> Result<RunLock, ExecuteError> {
    let name = format!("{key}.worker");
    for _ in 0..PATIENCE.0 {
        if let Some(lock) = RunLock::acquire(runs, &name)? {
            return Ok(lock);
        }
        thread::sleep(PATIENCE.1);
    }
    let problem = match holder(runs, &name) {
        Some((pid, true)) => {
            format!("process {pid} is suspended while training this run: end it with `kill -9 {pid}`")
        }
        Some((pid, false)) => format!("process {pid} is still training this run: end it"),
        None => format!("another process is still training this run ({}): end it", runs.join("locks").display()),
    };
    Err(ExecuteError::Setting(format!("{problem}, then run the same command again")))
}

/// Creates the run's folder and reads the checkpoint in it, if there is a usable one.
fn open_checkpoint(
    run: &Prepared,
    folder: &RunFolder,
    stored: &StoredProgress,
    connection: &Connection,
) -> Result<Option<Checkpoint>, TrainRunError> {
    folder.create(&run.pinned())?;
    let measured = evaluated_splits(run);
    let is_logged = |state: &TrainState, names_its_run: bool| stored.covers(&measured, state, names_its_run);
    let Resumed { saved, notes } = folder.resume(&run.config, ResumeCheck { run: &run.key, is_logged: &is_logged })?;
    for message in notes {
        connection.emit(Event::Note { message }).map_err(TrainRunError::CommandGone)?;
    }
    Ok(saved)
}

/// The weights with which a run begins.
pub(super) fn load_weights(run: &Prepared) -> Result<Loaded, ExecuteError> {
    let (labels, seed) = (run.labels(), run.config.train.init_seed);
    let Some((files, known)) = run.files.as_ref().zip(run.known.as_ref()) else {
        let parameters = Parameters::fresh(&run.shape, run.config.data.task().outputs(labels.len()), seed)?;
        return Ok(Loaded { parameters, notes: Vec::new(), warnings: Vec::new() });
    };
    known.reading(
        |path| is_weights(Some(files), path),
        || Ok(Parameters::read(&run.shape, &labels, &Weights::open(&files.weights)?, seed)?),
    )
}

fn train(
    run: &Prepared,
    folder: &RunFolder,
    saved: Option<Checkpoint>,
    rungs: &[u64],
    device: &Device,
    connection: &Connection,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainRunError> {
    let (task, labels) = (run.config.data.task(), &run.dataset.labels);
    let step = saved.as_ref().map_or(0, |saved| saved.state.step);
    let _ahead = run.read_ahead(step, device.idle_threads(super::threads()));
    for warning in &run.warnings {
        connection.emit(Event::Warned(warning.clone())).map_err(TrainRunError::CommandGone)?;
    }
    let recipe = Recipe::new(task, &run.config.train);
    // The GPU is opened while the weights are read.
    let (loaded, arithmetic) = thread::scope(|scope| {
        let opening = scope.spawn(|| Arithmetic::open(&recipe, device));
        (load_weights(run), opening.join())
    });
    let loaded = loaded?;
    let arithmetic = arithmetic.unwrap_or_else(|panic| resume_unwind(panic))?;
    for warning in loaded.warnings {
        connection.emit(Event::Warned(warning)).map_err(TrainRunError::CommandGone)?;
    }
    for message in loaded.notes {
        connection.emit(Event::Note { message }).map_err(TrainRunError::CommandGone)?;
    }
    let mut engine = arithmetic.engine(&run.shape, loaded.parameters, &recipe)?;
    let (shape, tokenizer, max_length) = (&run.shape, &run.tokenizer, run.config.data.max_length);
    let model = TrainedModel { task, shape, labels, tokenizer, max_length };
    let write = |to: &Path, engine: &dyn Engine, decided: Option<&Decided>| {
        RunFolder::write_model(to, &model, &engine.parameters(), decided)
    };
    let export = |step: u64, engine: &dyn Engine| {
        write(&folder.step_model(step), engine, None).map_err(|e| TrainError::Export(Box::new(e)))
    };
    // If the command is gone, nothing can be reported: the first such error ends the run.
    let gone = RefCell::new(None);
    let pauses = |step: u64| {
        rungs.contains(&step)
            && !connection.ask_to_continue(step).unwrap_or_else(|e| {
                gone.borrow_mut().get_or_insert(e);
                false
            })
    };
    let training = Training {
        task,
        train: &run.config.train,
        choices: run.config.data.choices(),
        checkpoint: &run.config.checkpoint,
        dataset: &run.dataset,
        tokens: &run.tokens,
        splits: &run.splits,
        probes: &run.probes,
        outputs: Outputs { run: &run.key, state: Some(folder.state()), best: folder.best(), export: &export },
        pauses: &pauses,
    };
    let (mut measured, mut decided) = (None, None);
    let mut emit = |event: Event| {
        match &event {
            // The test split, if there is one, comes last.
            Event::EvalCompleted { when: When::After, split, metrics, .. } => {
                measured = Some((*split, metrics.clone()));
            }
            Event::Decided(of_run) => decided = Some((**of_run).clone()),
            _ => {}
        }
        connection.emit(event).map_err(|e| {
            gone.borrow_mut().get_or_insert(e);
            "the taper process that started this worker has exited".into()
        })
    };
    let outcome = fit(&training, engine.as_mut(), saved, &mut emit, stop);
    if let Some(e) = gone.into_inner() {
        return Err(TrainRunError::CommandGone(e));
    }
    let outcome = outcome?;
    if let (Outcome::Completed, Some((split, metrics))) = (&outcome, measured) {
        let train_rows = run.dataset.class_counts(&run.splits.train);
        let is_random = freezes_random_weights(&run.config);
        // What the model is used with.
        let tuned = decided.as_ref().and_then(|of_run: &Decided| {
            let metrics = if split == Split::Test { of_run.test.clone()? } else { of_run.dev.clone() };
            Some((metrics, of_run.metric?))
        });
        let (metrics, metric) = tuned.unwrap_or((metrics, run.config.checkpoint.metric));
        if let Some(warning) = result_warning(&metrics, split, metric, &train_rows, is_random) {
            connection.emit(Event::Warned(warning)).map_err(TrainRunError::CommandGone)?;
        }
    }
    if outcome == Outcome::Completed && run.config.checkpoint.keep != Keep::None {
        write(&folder.model(), engine.as_ref(), decided.as_ref())?;
        let files = kept::measure(&folder.model())?;
        connection.emit(Event::ModelKept { files }).map_err(TrainRunError::CommandGone)?;
    }
    if outcome == Outcome::Completed {
        // Rows that training did not need are not tokenised for this: it could take longer than the run.
        connection.emit(Event::TextsRead { splits: run.texts_so_far() }).map_err(TrainRunError::CommandGone)?;
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::task::Task;
    use crate::{
        data::Tokenizer,
        execute::Workbench,
        model::ModelConfig,
        plan::{PlannedRun, RunConfig, Scratch, Source},
        store::testing::config,
    };

    /// A folder with a model whose weights are drawn with `seed`, with data, and a planned run of both.
    fn model_and_data(seed: u64) -> (tempfile::TempDir, PlannedRun) {
        let dir = tempfile::tempdir().unwrap();
        let rows: String = (0..20).map(|i| format!("{},text {i}\n", i % 2)).collect();
        fs::write(dir.path().join("rows.csv"), format!("label,review\n{rows}")).unwrap();
        write_model(&dir.path().join("model"), seed);
        let mut config: RunConfig = config();
        config.model.source = Source::Path(dir.path().join("model"));
        config.data.source = Source::Path(dir.path().join("rows.csv"));
        (config.data.text_column, config.data.label_column) = ("review".into(), "label".into());
        (config.data.limit, config.data.max_length) = (None, 16);
        config.data.labels.clear();
        config.probes.clear();
        (dir, PlannedRun { trial: 0, name: "run".into(), point: Vec::new(), config })
    }

    fn write_model(folder: &Path, seed: u64) {
        let vocab = Tokenizer::build_vocab(["text 0 1 2 3 4 5 6 7 8 9"].into_iter(), 60);
        let tokenizer = Tokenizer::from_vocab(vocab, true).unwrap();
        let mut shape = ModelConfig::preset(crate::source::Preset::Tiny);
        shape.vocab_size = tokenizer.vocab_size();
        let fresh = Parameters::fresh(&shape, 2, seed).unwrap();
        let train = config().train;
        let engine =
            crate::engine::engine(&shape, fresh, &Recipe::new(Task::SingleLabel, &train), &Device::Cpu).unwrap();
        let labels = ["0", "1"].map(String::from);
        let task = Task::SingleLabel;
        let model = TrainedModel { task, shape: &shape, labels: &labels, tokenizer: &tokenizer, max_length: 16 };
        RunFolder::write_model(folder, &model, &engine.parameters(), None).unwrap();
    }

    /// Replaces a file with another one of the same size and keeps its modification time.
    fn swap(path: &Path, by: &Path) {
        let time = path.metadata().unwrap().modified().unwrap();
        assert_eq!(path.metadata().unwrap().len(), by.metadata().unwrap().len());
        fs::copy(by, path).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    /// The weights are digested when a run is prepared, and read when it begins.
    #[test]
    fn weights_that_were_replaced_after_their_digest_are_refused() {
        let (dir, planned) = model_and_data(1);
        let weights = dir.path().join("model/model.safetensors");
        let other = dir.path().join("other");
        write_model(&other, 2);
        let mut bench = Workbench::default();
        let run = bench.prepare(&planned).unwrap();
        assert!(load_weights(&run).is_ok());
        swap(&weights, &other.join("model.safetensors"));
        let error = load_weights(&run).err().expect("other weights").to_string();
        assert!(
            error.contains("model.safetensors: its SHA-256 changed from")
                && error.contains("run the same command again"),
            "{error}"
        );
        // A new workbench prepares a run of the new weights.
        let again = Workbench::default().prepare(&planned).unwrap();
        assert!(again.key != run.key && load_weights(&again).is_ok());
        fs::remove_file(&weights).unwrap();
        assert!(load_weights(&again).is_err());
    }

    #[test]
    fn small_files_that_were_replaced_after_their_digest_are_refused() {
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            let (dir, planned) = model_and_data(1);
            let path = dir.path().join("model").join(name);
            let mut bench = Workbench::default();
            let run = bench.prepare(&planned).unwrap();
            assert_eq!(bench.prepare(&planned).unwrap().key, run.key);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text} ")).unwrap();
            let error = bench.prepare(&planned).err().expect("another file").to_string();
            assert!(error.contains(name) && error.contains("its SHA-256 changed from"), "{error}");
            fs::write(&path, text).unwrap();
            assert_eq!(bench.prepare(&planned).unwrap().key, run.key);
        }
    }

    #[test]
    fn a_new_model_of_a_folder_is_created_from_the_files_that_were_digested() {
        let (dir, mut planned) = model_and_data(1);
        planned.config.model.source = Source::Scratch(Scratch::Folder(dir.path().join("model")));
        let mut bench = Workbench::default();
        let run = bench.prepare(&planned).unwrap();
        let path = dir.path().join("model/config.json");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("0.02", "0.03")).unwrap();
        assert!(bench.prepare(&planned).is_err());
        assert_ne!(Workbench::default().prepare(&planned).unwrap().key, run.key);
    }
}
