//! Runs experiments.

use std::{collections::HashSet, path::PathBuf, time::Duration, time::Instant};

use super::{
    Experiment, ExperimentError, Planner,
    afterwards::{best_was_pruned, none_completed},
    runs::{planned, register},
    worker::this_program,
};
use crate::{
    execute::{
        self, ExecuteError, Planning, Prepared, SchedulerOptions, Skipped, Slot, SlurmJobs, Tally, Workers, run_all,
        threads,
    },
    observe::{Listener, Listeners, PlannedSweep, Recorder},
    plan::{
        Batches, Budget, Metric, Prune, RungSteps, rung_steps,
        sanity::{Tie, decided_by_order},
    },
    store::{ExperimentRecord, OnlyCommand, Store},
    warning::Warning,
};

/// Options for running an experiment.
pub struct RunOptions<'a> {
    /// Slots, each with one run at a time; if empty, one run at a time on each of the experiment's devices.
    pub slots: Vec<Slot>,
    /// Whether diverged and pruned runs are trained again.
    pub retry: bool,
    /// How often a run is restarted after its process died.
    pub retries: u32,
    /// Whether to stop, with a checkpoint of each run: called after every step.
    pub stop: &'a dyn Fn() -> bool,
    /// Receives messages that are not about a single run.
    pub say: &'a dyn Fn(&str),
    /// The program whose `worker` command trains; by default this one, which must call [`worker`](super::worker).
    pub program: Option<PathBuf>,
    /// The jobs of Slurm that train instead of processes on this machine. `slots` and `program` are not used then.
    pub slurm: Option<SlurmJobs>,
}

impl Default for RunOptions<'_> {
    fn default() -> Self {
        Self { slots: Vec::new(), retry: false, retries: 2, stop: &|| false, say: &|_| {}, program: None, slurm: None }
    }
}

/// The outcome of an experiment.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The number of runs by how they ended.
    pub tally: Tally,
    /// Runs of trials that a search has yet to propose: the command was stopped before, or a failed run keeps it from learning.
    pub to_come: usize,
    /// The experiment as stored.
    pub experiment: ExperimentRecord,
    /// Runs that were left out.
    pub skipped: Vec<Skipped>,
    /// Warnings from the sweep: rungs at which the order of trials decided, and that no run is completed.
    pub warnings: Vec<Warning>,
    /// Elapsed time.
    pub elapsed: Duration,
    /// Seconds that the runs had trained before.
    pub trained_before_s: f64,
}

impl Experiment {
    /// Trains every run that is not done, resumes interrupted ones, and stores their measurements. `listeners` receive every event after it was
    /// passed to the store.
    ///
    /// # Errors
    /// As [`Self::plan`]; and errors that affect every run: the store, a listener, or no available worker process. A failed run is not an
    /// error: see [`Outcome::tally`].
    pub fn run(&mut self, listeners: Listeners, options: RunOptions) -> Result<Outcome, ExperimentError> {
        if self.planner.is_none() {
            self.plan()?;
        }
        for device in self.options.devices.iter().filter(|_| options.slurm.is_none()) {
            device.open().map_err(|e| ExperimentError::Refused(e.to_string()))?;
        }
        let folder = self.options.runs.clone();
        let mut store = Store::open(&folder).map_err(ExperimentError::NoStore)?;
        // What was trained elsewhere meanwhile is not trained again.
        let some_unknown = !execute::collect(&mut store, &folder)?.unknown.is_empty();
        // Where locks may not hold.
        let _only = OnlyCommand::claim(&folder).map_err(ExperimentError::NoStore)?;
        let planner = self.planner.as_mut().expect("planned above");
        // No other command may remove runs that this one has yet to train.
        let _planning = Planning::begin(&folder, &planner.spec.spec().name)?;
        let mut listeners = Listeners::new().with(Recorder::new(Store::open(&folder)?)?).with(listeners);
        let sweep = &planner.spec.spec().sweep;
        let (prune, budget, batches) = (Prune::of(sweep), Budget::of(sweep), Batches::of(sweep));
        let workers = match options.slurm {
            Some(jobs) => Workers::Slurm(Box::new(jobs)),
            None => Workers::Local {
                program: options.program.map_or_else(this_program, Ok).map_err(|e| {
                    let why = format!("this program cannot be found: {e}");
                    ExecuteError::Worker(why)
                })?,
                slots: match options.slots.is_empty() {
                    true => Slot::share(&self.options.devices, threads()),
                    false => options.slots,
                },
            },
        };
        let schedule = SchedulerOptions {
            runs: &folder,
            stop: options.stop,
            say: options.say,
            retry: options.retry,
            retries: options.retries,
            prune,
            budget,
        };
        let known = planner.runs.iter().map(|run| run.key.as_str());
        let trained_before_s = store.training_seconds(known)?.values().sum();
        let (begin, told_before) = (Instant::now(), planner.left_by_budget.clone());
        let mut outcome = execute::Outcome::default();
        let mut told = HashSet::new();
        let result = loop {
            planner.save_lock()?;
            planner.record_proposals(&mut store)?;
            let experiment = register(&mut store, planner)?;
            // Of runs that the database did not know before.
            if some_unknown {
                execute::collect(&mut store, &folder)?;
            }
            let runs = planned(&store, &planner.runs, &prune, &folder, &mut told)?;
            let to_come = planner.to_come();
            let experiment_name = experiment.name.clone();
            listeners.planned(&PlannedSweep { experiment: experiment_name, runs, to_come, prune, batches, budget });
            match run_all(&mut store, &planner.runs, &workers, &schedule, &mut listeners, outcome) {
                Ok(so_far) => outcome = so_far,
                Err(e) => break Err(e),
            }
            // A command that is killed later has told other readers of them.
            if !outcome.ties.is_empty() {
                let ties = decided_by_order_in(planner, &prune, &outcome);
                let warnings = planner.sweep_warnings().into_iter().chain(ties).collect();
                store.renew(&ExperimentRecord { warnings, ..experiment.clone() })?;
            }
            // A search that learns continues with the results of these runs.
            if !outcome.tally.is_over() || !planner.extend(&store)? {
                break Ok((experiment, outcome));
            }
        };
        listeners.finish()?;
        let (mut experiment, outcome) = result?;
        store.check_is_there()?;
        let mut warnings = decided_by_order_in(planner, &prune, &outcome);
        let execute::Outcome { mut tally, skipped, .. } = outcome;
        if tally.is_over() {
            warnings.extend(none_completed(&store, &experiment)?);
            warnings.extend(best_was_pruned(&store, &planner.runs)?);
        }
        // Predictions about the sweep are replaced by its results.
        planner.take_stock(&store)?;
        let to_come = not_proposed(&mut tally, planner.to_come(), planner.allowed.more == 0);
        experiment.warnings = planner.sweep_warnings().into_iter().chain(warnings.iter().cloned()).collect();
        // A search may have found at its end that there are no more points.
        experiment.to_come = planner.to_come();
        store.renew(&experiment)?;
        warnings.extend(planner.left_by_budget.clone().filter(|left| told_before.as_ref() != Some(left)));
        Ok(Outcome { tally, to_come, experiment, skipped, warnings, elapsed: begin.elapsed(), trained_before_s })
    }
}

/// The warnings that the order of the plan decided at rungs, after what a sweep has trained so far.
fn decided_by_order_in(planner: &Planner, prune: &Prune, outcome: &execute::Outcome) -> Vec<Warning> {
    let metric = planner.runs.first().map_or(Metric::Accuracy, |run| run.config.checkpoint.metric);
    let rungs = |run: &Prepared| RungSteps::of(prune, &run.config.train, run.examples() as u64);
    let rungs: Vec<RungSteps> = planner.runs.iter().map(rungs).collect();
    let so_far = !outcome.tally.is_over() || planner.to_come() > 0;
    let tied = |tie: &Tie| decided_by_order(*tie, metric, prune, &rung_steps::at(&rungs, tie.rung), so_far);
    outcome.ties.iter().map(tied).collect()
}

/// Of `to_come` runs of trials that a search has not proposed, those that are left for the next command: this one was stopped, or a run that
/// the search needs has failed. If the budget is spent and leaves no more, they count as left by it, and not once more as not proposed.
fn not_proposed(tally: &mut Tally, to_come: usize, budget_leaves_none: bool) -> usize {
    if tally.beyond_budget > 0 && budget_leaves_none {
        tally.beyond_budget += to_come;
        return 0;
    }
    if tally.is_stopped() || !budget_leaves_none { to_come } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_that_are_not_proposed_count_once() {
        let stopped = |beyond_budget| Tally { stopped: 1, beyond_budget, ..Tally::default() };
        let count = |mut tally: Tally, budget_leaves_none| {
            let to_come = not_proposed(&mut tally, 5, budget_leaves_none);
            (tally.beyond_budget, to_come)
        };
        assert_eq!(count(stopped(2), true), (7, 0), "the budget leaves them");
        assert_eq!(count(stopped(0), true), (0, 5), "the command was stopped before it was spent");
        assert_eq!(count(stopped(2), false), (2, 5));
        let failed = Tally { completed: 3, failed: 1, ..Tally::default() };
        assert_eq!(count(failed, false), (0, 5), "the search waits for the failed run");
        assert_eq!(count(failed, true), (0, 0), "the budget allows no more");
    }
}
