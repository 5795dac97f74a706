//! Jobs of Slurm, for the commands that submit them.

use std::env;

use anyhow::Result;
use taper::{
    cluster::{Slurm, SlurmSettings},
    execute::{JobScript, SlurmJobs},
    format::command::shell_word,
};

use super::{Global, Unusable};

/// Jobs at a time of a command that stays attached, unless `slurm.max_parallel` or `--jobs` says otherwise.
const AT_A_TIME: usize = 16;

/// What the jobs do.
pub fn script(settings: SlurmSettings, global: &Global) -> Result<JobScript> {
    let program = env::current_exe()?;
    Ok(JobScript { settings, program, device: global.device, threads: global.threads })
}

/// The jobs of a command that stays attached; `jobs` at a time, or as the settings say. It needs no more than one for each of the `runs`.
pub fn attached(settings: SlurmSettings, jobs: Option<u16>, runs: usize, global: &Global) -> Result<SlurmJobs> {
    let slurm = Slurm::find().map_err(|e| Unusable(e.into()))?;
    let most = jobs.map(usize::from).or(settings.max_parallel.map(|most| most as usize)).unwrap_or(AT_A_TIME);
    Ok(SlurmJobs { slurm, script: script(settings, global)?, most: most.min(runs.max(1)), command: command_line() })
}

/// The command of this process, in shell.
pub fn command_line() -> String {
    let words = env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()).to_string());
    std::iter::once("taper".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}
