//! Curves for TensorBoard while runs train.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread,
    time::Duration,
};

use super::{Listener, ObserveError, PlannedSweep, RunInfo};
use crate::{
    event::{Event, Outcome, When},
    store::{RunState, Store, StoreError, unix_time},
    tracker::{EventFile, Point, Session, flat, folder_of, history, of_metrics, of_step, safe},
};

/// The most points that may wait for the disk: some 20 MB.
const CAPACITY: usize = 1 << 16;
/// How long the end of a command waits for the last points.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the name of an experiment's folder.
const NAME: usize = 100;

/// Writes TensorBoard's event files of runs while they train: the folder `EXPERIMENT/RUN` for each run.
///
/// A thread of its own writes; training never waits for it. If a file cannot be written, or the disk does not keep up, one warning is said, and
/// nothing more is written. A run that resumes continues in a new file of its folder, which tells TensorBoard to forget what comes after the
/// step that it resumes from.
pub struct Mirror {
    sender: Option<SyncSender<Told>>,
    ended: Receiver<()>,
    experiment: String,
    state: Arc<State>,
}

/// What the thread and the listener share.
struct State {
    folder: PathBuf,
    failed: AtomicBool,
    say: Box<dyn Fn(&str) + Send + Sync>,
}

impl State {
    /// Warns, once.
    fn fail(&self, why: &str) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            let folder = self.folder.display();
            (self.say)(&format!(
                "warning: the mirror in {folder} failed: {why}; nothing more is written to it, and training continues"
            ));
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// What the thread is told of a run.
struct Told {
    key: String,
    /// Unix time in seconds.
    at: f64,
    what: What,
}

enum What {
    Started { experiment: String, name: String, resumed_from: Option<u64> },
    Measured { point: Point, flush: bool },
    Ended(Option<RunState>),
}

impl Mirror {
    /// A mirror in `folder` of runs that are stored in `runs`; `say` receives its warning.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn new(folder: &Path, runs: &Path, say: impl Fn(&str) + Send + Sync + 'static) -> Result<Self, ObserveError> {
        let (sender, receiver) = mpsc::sync_channel(CAPACITY);
        let (done, ended) = mpsc::channel();
        let state = Arc::new(State { folder: folder.into(), failed: AtomicBool::new(false), say: Box::new(say) });
        let (shared, runs) = (Arc::clone(&state), runs.to_path_buf());
        let work = move || {
            let mut files = Files { folder: shared.folder.clone(), runs, open: HashMap::new() };
            for told in receiver {
                if !shared.has_failed()
                    && let Err(error) = files.take(told)
                {
                    shared.fail(&error.to_string());
                }
            }
            if !shared.has_failed()
                && let Err(error) = files.open.drain().try_for_each(|(_, file)| file.finish())
            {
                shared.fail(&crate::format::io(&error));
            }
            let _ = done.send(());
        };
        thread::Builder::new().name("mirror".into()).spawn(work).map_err(ObserveError::Thread)?;
        Ok(Self { sender: Some(sender), ended, experiment: String::new(), state })
    }

    fn tell(&mut self, key: &str, what: What) {
        if self.state.has_failed() {
            return;
        }
        let told = Told { key: key.into(), at: unix_time(), what };
        match self.sender.as_ref().map(|sender| sender.try_send(told)) {
            Some(Err(TrySendError::Full(_))) => self.state.fail("the disk does not keep up"),
            Some(Err(TrySendError::Disconnected(_))) => self.state.fail("its thread ended"),
            Some(Ok(())) | None => {}
        }
    }

    /// Waits for the thread to write what it was told.
    fn end(&mut self) {
        if self.sender.take().is_some()
            && let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(PATIENCE)
        {
            self.state.fail("the disk does not keep up");
        }
    }
}

impl Listener for Mirror {
    fn planned(&mut self, sweep: &PlannedSweep) {
        self.experiment.clone_from(&sweep.experiment);
    }

    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        let measured = |step, scalars, flush| What::Measured { point: Point { step, at: unix_time(), scalars }, flush };
        let what = match event {
            Event::RunStarted { resumed_from, .. } => {
                let (experiment, name) = (self.experiment.clone(), run.name.clone());
                What::Started { experiment, name, resumed_from: *resumed_from }
            }
            Event::StepCompleted(step) => {
                let scalars = of_step(step).map(|(tag, value)| (tag.to_string(), value)).into();
                measured(step.step, scalars, run.log_steps > 0 && step.step.is_multiple_of(run.log_steps))
            }
            Event::EvalCompleted { when, step, split, metrics, .. } => {
                measured(*step, of_metrics(*when, *split, metrics).collect(), true)
            }
            Event::RunFinished(outcome) => What::Ended(match outcome {
                Outcome::Completed => Some(RunState::Completed),
                Outcome::Pruned { .. } => Some(RunState::Pruned),
                Outcome::Failed { .. } => Some(RunState::Failed),
                Outcome::Interrupted | Outcome::Retried | Outcome::Paused { .. } => None,
            }),
            _ => return Ok(()),
        };
        self.tell(&run.key, what);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ObserveError> {
        self.end();
        Ok(())
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.end();
    }
}

/// Why a mirror failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{}", crate::format::io(_0))]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The files of a mirror.
struct Files {
    folder: PathBuf,
    /// The runs folder.
    runs: PathBuf,
    /// By the key of the run.
    open: HashMap<String, EventFile>,
}

impl Files {
    fn take(&mut self, Told { key, at, what }: Told) -> Result<(), Failed> {
        match what {
            What::Started { experiment, name, resumed_from } => {
                if let Some(file) = self.open.remove(&key) {
                    file.finish()?;
                }
                let folder = folder_of(&name, &key);
                let folder = self.folder.join(safe(&experiment, NAME)).join(folder);
                let file = self.begin(&folder, (&key, &name), resumed_from, at)?;
                self.open.insert(key, file);
            }
            What::Measured { point, flush } => {
                if let Some(file) = self.open.get_mut(&key) {
                    file.add(&point)?;
                    if flush {
                        file.flush()?;
                    }
                }
            }
            What::Ended(state) => {
                if let Some(mut file) = self.open.remove(&key) {
                    if let Some(state) = state {
                        file.session(&Session::End { state, ended: at }, at)?;
                    }
                    file.finish()?;
                }
            }
        }
        Ok(())
    }

    /// Begins a file. If the run was mirrored before, TensorBoard is to forget the steps that are trained again; if not, the file begins with the
    /// steps that were trained before.
    fn begin(
        &self,
        folder: &Path,
        (key, name): (&str, &str),
        resumed_from: Option<u64>,
        at: f64,
    ) -> Result<EventFile, Failed> {
        let before = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        let mut file = EventFile::create(folder, at)?;
        let store = Store::open_existing(&self.runs)?;
        let run = store.run(key)?;
        match (before, resumed_from) {
            (true, _) => file.start(resumed_from.map_or(0, |step| step + 1), at)?,
            (false, Some(step)) => {
                let (mut steps, mut evals) = (store.steps(key)?, store.evals(key)?);
                steps.retain(|s| s.step <= step);
                evals.retain(|e| e.step <= step && e.when != When::After);
                history(&run, &steps, &evals).try_for_each(|point| file.add(&point))?;
            }
            (false, None) => {}
        }
        let (name, settings) = (folder_of(name, key), flat(&run.config));
        file.session(&Session::Start { name: &name, settings: &settings, began: run.started_at.unwrap_or(at) }, at)?;
        file.flush()?;
        Ok(file)
    }
}
