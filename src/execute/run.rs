//! Trains runs: on this machine, or as jobs of a cluster.

use std::{path::PathBuf, time::Instant};

use super::{
    ExecuteError, Prepared,
    element::TAKE_OVER,
    executor::{Executor, Slot},
    local::LocalWorkers,
    schedule::{OtherProcesses, Outcome, Records, Scheduler, SchedulerOptions},
    slurm::{SlurmExecutor, SlurmJobs},
};
use crate::{
    observe::Listener,
    store::{Store, tidy_locks},
};

/// The workers that train runs.
pub enum Workers {
    /// Processes on this machine.
    Local {
        /// The program whose `worker` command trains them: taper itself.
        program: PathBuf,
        /// The slots, each of which trains one run at a time.
        slots: Vec<Slot>,
    },
    /// Jobs of Slurm.
    Slurm(Box<SlurmJobs>),
}

/// Trains every run that is not completed. `listener` receives every event and must store them (a recorder must be one of its listeners).
/// `before` is the outcome of earlier calls for the same experiment.
///
/// # Errors
/// Errors that concern all runs: of the store or the listener, or if no worker can be started. A failed run is not an error.
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
    let executor: Box<dyn Executor + '_> = match workers {
        Workers::Local { program, slots } => Box::new(LocalWorkers::new(program.clone(), slots)),
        Workers::Slurm(jobs) => Box::new(SlurmExecutor::new(jobs, options, Store::open(options.runs)?)),
    };
    let records = Records::new(store, runs, options, listener).taking_over(TAKE_OVER);
    let outcome = Scheduler::new(options, records, executor, OtherProcesses::new(&now), before)?.run()?;
    tidy_locks(options.runs);
    Ok(outcome)
}
