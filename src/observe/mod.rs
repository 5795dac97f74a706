//! Listeners: what receives a run's events.
//!
//! The trainer emits [events](crate::event) without knowing its listeners. [`Recorder`] writes them into the store and stops the run if it
//! cannot; [`Progress`] shows them to people, [`JsonLines`] passes them to programs; [`Listeners`] forwards each event to several
//! listeners. [`Mirror`] writes TensorBoard's event files. [`RowProgress`] shows the progress of work other than training, such as classifying a file. [`Board`] is the table of a
//! sweep's trials, shown by the process that trains it or by another one.

mod bar_style;
mod bars;
mod board;
mod forecast;
mod heading;
mod json_lines;
mod lines;
mod mirror;
mod more;
mod past;
mod progress;
mod recorder;
mod rows;
mod run_status;
mod sweep;
mod swept;
mod text;
mod title;
mod watch;

use std::{io, sync::Arc};

pub use board::{Board, Row, Size};
pub use json_lines::JsonLines;
pub use mirror::Mirror;
pub use more::all_in;
pub use past::past;
pub use progress::{Above, Progress};
pub use recorder::Recorder;
pub use rows::RowProgress;
pub use swept::swept_columns;
pub use text::{wrap, wrap_below, wrap_words};
pub use watch::{Reading, Watch};

use crate::{
    event::Event,
    plan::{Batches, Budget, Keep, Metric, Prune, Rung},
    store::{RunState, StoreError},
};

/// The run that an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// A line is printed every this many steps; 0: for none.
    pub log_steps: u64,
    /// (position, count): its position among the runs of the command, from 1.
    pub position: (usize, usize),
    /// What it trains on, if that is not its training rows but windows of them.
    pub windows: Option<u64>,
}

#[cfg(test)]
impl RunInfo {
    /// A run that is the only one of a command, without lines for steps.
    pub(crate) fn single(key: &str, name: &str) -> Self {
        Self { key: key.into(), name: name.into(), log_steps: 0, position: (1, 1), windows: None }
    }
}

/// A run of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedInfo {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Number of its trial: runs of a trial differ only in their seed.
    pub trial: usize,
    /// Its current state.
    pub state: RunState,
    /// Optimizer steps of the whole run.
    pub total_steps: u64,
    /// Steps that are already trained.
    pub step: u64,
    /// Seconds of training so far.
    pub trained_s: f64,
    /// The metric that chooses among its checkpoints.
    pub metric: Metric,
    /// The metric that results on the test split are shown by.
    pub shown: Metric,
    /// Which weights it keeps: those of the best evaluation, or those of the last.
    pub keep: Keep,
    /// Whether it has a dev split.
    pub has_dev: bool,
    /// Where the sweep decides whether its trial continues.
    pub rungs: Vec<Rung>,
    /// The cost of a step relative to other runs, in any unit of arithmetic.
    pub step_cost: f64,
    /// Its events from earlier commands ([`past`]); empty if the listener has already received them.
    pub past: Vec<Event>,
}

/// The plan of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSweep {
    /// The name of the experiment.
    pub experiment: String,
    /// The runs that are known.
    pub runs: Vec<PlannedInfo>,
    /// Runs that a search will still propose.
    pub to_come: usize,
    /// The rule that ends trials early.
    pub prune: Prune,
    /// The batches of a search, at the end of which trials are pruned for good.
    pub batches: Option<Batches>,
    /// The budget of the runs.
    pub budget: Budget,
}

/// Receives the events of runs.
///
/// The events of one run arrive in order; those of different runs may be interleaved.
pub trait Listener: Send {
    /// Called with the plan before any event, and again with each proposal of a search that proposes runs as it goes. Listeners without
    /// an overview of all runs can ignore it.
    fn planned(&mut self, sweep: &PlannedSweep) {
        let _ = sweep;
    }

    /// Called with the progress that another process has made with a run: its stored state and steps, and the events that led there.
    /// Listeners without an overview of all runs can ignore it.
    fn caught_up(&mut self, run: &RunInfo, now: (RunState, u64), past: &[Event]) {
        let _ = (run, now, past);
    }

    /// Called with each event. An error stops the run: its results could not be delivered.
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError>;

    /// Finishes pending work. No event comes afterwards.
    fn finish(&mut self) -> Result<(), ObserveError> {
        Ok(())
    }
}

/// Errors of listeners.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The store refused a measurement; every later event is refused with the same error.
    #[error("a measurement could not be stored: {0}")]
    Store(Arc<StoreError>),
    /// The thread of a listener could not be started.
    #[error("cannot start a listener's thread: {0}")]
    Thread(io::Error),
    /// The thread that owns the store is gone.
    #[error("the recorder ended unexpectedly: later measurements are lost; run the same command again")]
    Gone,
    /// The JSON lines cannot be written, for example because their reader has exited.
    #[error("cannot write the JSON lines: {0}")]
    JsonLines(io::Error),
}

/// Several listeners as one.
#[derive(Default)]
pub struct Listeners(Vec<Box<dyn Listener>>);

impl Listeners {
    /// No listeners.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a listener. Listeners are called in the order in which they were added: the recorder comes first, so that everything shown
    /// is already durable.
    #[must_use]
    pub fn with(mut self, listener: impl Listener + 'static) -> Self {
        self.0.push(Box::new(listener));
        self
    }

    /// Calls all listeners, even after one fails, and returns the first error.
    fn tell(&mut self, mut f: impl FnMut(&mut dyn Listener) -> Result<(), ObserveError>) -> Result<(), ObserveError> {
        let mut result = Ok(());
        for listener in &mut self.0 {
            result = result.and(f(listener.as_mut()));
        }
        result
    }
}

impl Listener for Listeners {
    fn planned(&mut self, sweep: &PlannedSweep) {
        self.0.iter_mut().for_each(|listener| listener.planned(sweep));
    }

    fn caught_up(&mut self, run: &RunInfo, now: (RunState, u64), past: &[Event]) {
        self.0.iter_mut().for_each(|listener| listener.caught_up(run, now, past));
    }

    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        self.tell(|listener| listener.on(run, event))
    }

    fn finish(&mut self) -> Result<(), ObserveError> {
        self.tell(|listener| listener.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Records what it receives, and fails at notes if it should.
    struct Witness(&'static str, bool, Arc<Mutex<Vec<String>>>);

    impl Listener for Witness {
        fn on(&mut self, run: &RunInfo, _: &Event) -> Result<(), ObserveError> {
            self.2.lock().unwrap().push(format!("{} {}", self.0, run.key));
            if self.1 { Err(ObserveError::JsonLines(io::Error::other(self.0))) } else { Ok(()) }
        }
    }

    #[test]
    fn all_listeners_are_called_and_the_first_error_is_returned() {
        let told = Arc::default();
        let witness = |name, fails| Witness(name, fails, Arc::clone(&told));
        let mut listeners =
            Listeners::new().with(witness("a", false)).with(witness("b", true)).with(witness("c", true));
        let run = RunInfo::single("k", "n");
        let error = listeners.on(&run, &Event::Note { message: "x".into() }).unwrap_err();
        assert!(error.to_string().ends_with(": b"), "{error}");
        assert_eq!(*told.lock().unwrap(), ["a k", "b k", "c k"]);
        listeners.finish().unwrap();
    }
}
