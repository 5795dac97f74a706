//! Options of the scheduler.

use std::path::Path;

use crate::plan::{Budget, Prune};

/// Options of the scheduler, the same for all calls for an experiment.
pub struct SchedulerOptions<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// Whether the user asked to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Shows a message to the user at once.
    pub say: &'a dyn Fn(&str),
    /// Whether runs that diverged or were pruned are trained again.
    pub retry: bool,
    /// How often a run is tried again after a crash of its worker.
    pub retries: u32,
    /// The rule that prunes trials.
    pub prune: Prune,
    /// The limit on runs and training time.
    pub budget: Budget,
}
