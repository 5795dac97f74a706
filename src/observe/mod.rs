//! The observe room: who listens to a run's events.
//!
//! The trainer emits [events](crate::event) and knows nothing of who listens. [`Recorder`] puts them into the store and
//! stops the run where it cannot; [`Progress`] shows them to a person, [`JsonLines`] to a program; [`Listeners`] hands
//! each event to several of them. [`RowProgress`] shows work that is no run: a file being classified. [`Board`] is the table
//! of runs that a sweep is watched on, from within its process or from another terminal.

mod bars;
mod board;
mod forecast;
mod json_lines;
mod lines;
mod look;
mod member;
mod past;
mod progress;
mod recorder;
mod rows;
mod sweep;
mod text;
mod watch;

use std::{io, sync::Arc};

pub use board::{Board, Row, Size};
pub use json_lines::JsonLines;
pub use past::past;
pub use progress::{Above, Progress};
pub use recorder::Recorder;
pub use rows::RowProgress;
pub use text::{wrap, wrap_words};
pub use watch::{Look, Watch};

use crate::{
    event::Event,
    plan::{Budget, Keep, Metric, Prune},
    store::{RunState, StoreError},
};

/// The run that an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// A line is printed every so many steps; 0: for none of them.
    pub log_steps: u64,
    /// (which, of how many): its place among the runs of the command, from 1.
    pub position: (usize, usize),
}

#[cfg(test)]
impl RunInfo {
    /// The only run of a command, with no line for its steps.
    pub(crate) fn single(key: &str, name: &str) -> Self {
        Self { key: key.into(), name: name.into(), log_steps: 0, position: (1, 1) }
    }
}

/// A run that the command means to make, or finds made.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedInfo {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// Number of its trial: runs of one trial differ in nothing but their seed.
    pub trial: usize,
    /// Where it stands now.
    pub state: RunState,
    /// Optimiser steps of the whole run.
    pub total_steps: u64,
    /// Steps that need not be made again.
    pub step: u64,
    /// Seconds that it has trained so far.
    pub trained_s: f64,
    /// The figure that chooses among its checkpoints.
    pub metric: Metric,
    /// Which weights it keeps: those of the best evaluation, or those of the last.
    pub keep: Keep,
    /// Whether it has a dev split.
    pub has_dev: bool,
    /// Steps at which the sweep decides whether its trial goes on.
    pub rungs: Vec<u64>,
    /// What a step costs beside those of the other runs: arithmetic in any unit.
    pub step_cost: f64,
    /// What earlier commands did with it ([`past`]); empty where the listener was told of it already.
    pub past: Vec<Event>,
}

/// What a command means to do.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedSweep {
    /// The runs that are known.
    pub runs: Vec<PlannedInfo>,
    /// Runs that a search will still propose.
    pub to_come: usize,
    /// Which trials end before their time.
    pub prune: Prune,
    /// What the runs may cost.
    pub budget: Budget,
}

/// Someone who is told what happens in runs.
///
/// The events of one run come in order; those of several runs may come mixed.
pub trait Listener: Send {
    /// Takes what the command means to do, before any event. A search that proposes runs as it goes says so again with each
    /// proposal. Who shows no whole needs none of it.
    fn planned(&mut self, sweep: &PlannedSweep) {
        let _ = sweep;
    }

    /// Takes what another process has made of a run by now: its state and steps as they
    /// are stored, and the events that brought it there. Who shows
    /// no whole needs none of it.
    fn caught_up(&mut self, run: &RunInfo, now: (RunState, u64), past: &[Event]) {
        let _ = (run, now, past);
    }

    /// Takes an event. An error means that the run has to stop: what was asked for cannot be delivered.
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError>;

    /// Brings to an end what is still under way. No event comes afterwards.
    fn finish(&mut self) -> Result<(), ObserveError> {
        Ok(())
    }
}

/// What keeps a listener from its work.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The store refused a measurement; every later event is refused with the same error.
    #[error("a measurement could not be stored: {0}")]
    Store(Arc<StoreError>),
    /// The thread that owns the store could not be started.
    #[error("cannot start the recorder's thread: {0}")]
    Thread(io::Error),
    /// The thread that owns the store is gone.
    #[error("the recorder ended before its time: measurements since then are lost; run the same command again")]
    Gone,
    /// Nobody reads the JSON lines, or they cannot be written.
    #[error("cannot write the JSON lines: {0}")]
    JsonLines(io::Error),
}

/// Several listeners as one.
#[derive(Default)]
pub struct Listeners(Vec<Box<dyn Listener>>);

impl Listeners {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. Each is told in the order in which it was added: the recorder comes first, so that what is durable
    /// before it is shown stays so.
    #[must_use]
    pub fn with(mut self, listener: impl Listener + 'static) -> Self {
        self.0.push(Box::new(listener));
        self
    }

    /// Tells all, also those after one that fails, and gives back the first error.
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

    /// Writes down what it is told, and fails at notes where it should.
    struct Witness(&'static str, bool, Arc<Mutex<Vec<String>>>);

    impl Listener for Witness {
        fn on(&mut self, run: &RunInfo, _: &Event) -> Result<(), ObserveError> {
            self.2.lock().unwrap().push(format!("{} {}", self.0, run.key));
            if self.1 { Err(ObserveError::JsonLines(io::Error::other(self.0))) } else { Ok(()) }
        }
    }

    #[test]
    fn all_are_told_and_the_first_error_counts() {
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
