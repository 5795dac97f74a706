//! The executor on a cluster with Slurm: each run is a job of its own, an attached element (`element/`) whose shard is read while it is written.
//!
//! `jobs` has what a job asks for and its script; `job` one job, from its submission to its end; `ending` what follows from an end that
//! Slurm reports; `attached` the executor.

mod attached;
mod ending;
mod job;
mod jobs;

pub(super) use attached::SlurmExecutor;
pub use jobs::{JobScript, SlurmJobs};
