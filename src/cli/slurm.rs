//! Jobs of Slurm, for the commands that submit them.

use std::env;

use anyhow::{Result, anyhow};
use taper::{
    cluster::{ElementId, ElementState, Slurm, SlurmSettings},
    execute::{JobScript, Prepared, SlurmJobs},
    experiment::jobs,
    format::{self, command::shell_word},
    store::{ElementRecord, Store},
};

use super::{Global, Unusable};

/// Jobs at a time of a command that stays attached, unless `slurm.max_parallel` or `--jobs` says otherwise.
const AT_A_TIME: usize = 16;

/// What the jobs do.
pub fn script(settings: SlurmSettings, global: &Global) -> Result<JobScript> {
    let program = env::current_exe()?;
    Ok(JobScript { settings, program, device: global.device, threads: global.threads })
}

/// What to do if the cluster does not answer before anything was submitted.
const NO_CLUSTER: &str =
    "check with `sinfo` that this machine belongs to a cluster that answers, or train here, without --executor slurm";

/// The jobs of a command that stays attached; `jobs` at a time, or as the settings say. It needs no more than one for each of the `runs`.
pub fn attached(settings: SlurmSettings, jobs: Option<u16>, runs: usize, global: &Global) -> Result<SlurmJobs> {
    let slurm = Slurm::find().map_err(|e| Unusable(e.into()))?;
    // Asked before anything is stored: a machine can have the commands without a cluster.
    slurm.max_array_size().map_err(|e| Unusable(anyhow!("{e}; {NO_CLUSTER}")))?;
    let most = jobs.map(usize::from).or(settings.max_parallel.map(|most| most as usize)).unwrap_or(AT_A_TIME);
    Ok(SlurmJobs { slurm, script: script(settings, global)?, most: most.min(runs.max(1)), command: command_line() })
}

/// The command of this process, in shell.
pub fn command_line() -> String {
    let words = env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()).to_string());
    std::iter::once("taper".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Runs of submissions that have no result yet.
fn open(store: &Store) -> Result<Vec<ElementRecord>> {
    let mut submitted = store.submitted(None)?;
    submitted.retain(|run| run.array_job.is_some() && run.collected_at.is_none());
    Ok(submitted)
}

/// The runs of a command that were submitted before it, and have no result yet: it takes over those whose jobs have not begun.
pub fn submitted_before(store: Option<&Store>, runs: &[Prepared]) -> Result<Vec<ElementRecord>> {
    let mut before = store.map_or(Ok(Vec::new()), open)?;
    before.retain(|run| runs.iter().any(|own| own.key == run.run));
    Ok(before)
}

/// Cancels the jobs that wait although a command has trained all of their runs; `before` is what was submitted before it. Says which, and says also
/// if the cluster does not answer: such a job ends by itself when it starts.
pub fn cancel_idle(store: &Store, mut before: Vec<ElementRecord>, say: &dyn Fn(&str)) -> Result<()> {
    let open = open(store)?;
    let is_of = |a: &ElementRecord, b: &ElementRecord| (a.submission, a.element) == (b.submission, b.element);
    before.retain(|run| !open.iter().any(|left| is_of(left, run)));
    if before.is_empty() {
        return Ok(());
    }
    let cancelled = Slurm::find().and_then(|slurm| {
        let mut idle: Vec<ElementId> = Vec::new();
        for job in jobs(&slurm, before, &store.submissions().unwrap_or_default())? {
            let waits = job.cluster.as_ref().is_some_and(|element| element.state == ElementState::Pending);
            idle.extend(job.id().filter(|id| waits && !idle.contains(id)));
        }
        slurm.cancel(&idle)?;
        Ok(idle)
    });
    match cancelled {
        Ok(idle) if idle.is_empty() => {}
        Ok(idle) => {
            let (many, ids) = (format::counted(idle.len() as u64, "waiting job"), idle.iter().map(ToString::to_string));
            let ids = ids.collect::<Vec<_>>().join(", ");
            say(&format!("cancelled {many} whose runs are done: {ids}"));
        }
        Err(e) => say(&format!("jobs whose runs are done may still wait, and end when they start: {e}")),
    }
    Ok(())
}
