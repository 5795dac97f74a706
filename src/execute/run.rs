//! Trains runs on this machine.

use std::{path::PathBuf, time::Instant};

use super::{
    ExecuteError, Prepared,
    executor::Slot,
    local::LocalWorkers,
    schedule::{Others, Outcome, Records, Scheduler, SchedulerOptions},
};
use crate::{
    observe::Listener,
    store::{Store, tidy_locks},
};

/// What runs are trained by.
pub struct Workers {
    /// The program whose `worker` command trains them: taper itself.
    pub program: PathBuf,
    /// Where they are trained, each slot one at a time.
    pub slots: Vec<Slot>,
}

/// Trains every run that is not done. `listener` is told of every event; a recorder must be among those that it stands for.
/// `before` is what earlier calls for the same experiment returned.
///
/// # Errors
/// What would meet every run: the store, the listener, no worker to be had. A run that fails is no error.
pub fn run_all(
    store: &mut Store,
    runs: &[Prepared],
    workers: &Workers,
    options: &SchedulerOptions,
    listener: &mut dyn Listener,
    before: Outcome,
) -> Result<Outcome, ExecuteError> {
    let begin = Instant::now();
    let now = || begin.elapsed();
    let executor = Box::new(LocalWorkers::new(workers.program.clone(), &workers.slots));
    let records = Records::new(store, runs, options, listener);
    let outcome = Scheduler::new(options, records, executor, Others::new(&now), before)?.run()?;
    tidy_locks(options.runs);
    Ok(outcome)
}
