//! How runs are scheduled.

use std::path::Path;

use crate::plan::{Budget, Prune};

/// How runs are scheduled: the same for all calls for an experiment.
pub struct SchedulerOptions<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// Whether the user asked to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Says something to the user at once.
    pub say: &'a dyn Fn(&str),
    /// Whether runs that diverged or were pruned are trained again.
    pub retry: bool,
    /// How often a run whose worker died is tried again.
    pub retries: u32,
    /// Which trials end before their time.
    pub prune: Prune,
    /// What all of it may cost.
    pub budget: Budget,
}
