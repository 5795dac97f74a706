//! Starts Slurm's commands.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::ClusterError;

/// A command of Slurm.
#[derive(Debug, Clone)]
pub(super) struct Program {
    name: &'static str,
    path: PathBuf,
    /// `SLURM_CONF`, if not the one of this process.
    config: Option<PathBuf>,
}

impl Program {
    /// The command of this name on the search path.
    pub fn find(name: &'static str) -> Result<Self, ClusterError> {
        let folders = env::var_os("PATH").unwrap_or_default();
        let path = env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
        path.map(|path| Self { name, path, config: None }).ok_or_else(|| ClusterError::NotInstalled(name.into()))
    }

    /// The same for the cluster that this file configures.
    pub fn with_config(self, config: &Path) -> Self {
        Self { config: Some(config.into()), ..self }
    }

    /// Runs it, and returns what it prints.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<String, ClusterError> {
        let mut command = Command::new(&self.path);
        // Within a job, what is said of that job is not meant for another: `SLURM_CPUS_PER_TASK` or `SLURM_RESTART_COUNT` would be inherited.
        // What the user has set to change how tables look would change what is read here, and what is set for sbatch and scancel goes before what
        // the script and the arguments say.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            let of_a_job = name.starts_with("SLURM_") && !KEPT.contains(&&*name);
            if of_a_job || OPTIONS.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(&*name);
            }
        }
        command.envs(self.config.iter().map(|config| ("SLURM_CONF", config)));
        command.env("SLURM_TIME_FORMAT", "%s").args(arguments).stdin(Stdio::null());
        // Ctrl-C in a terminal reaches every process of the command: Slurm could have accepted jobs whose id is never printed then.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let output = command
            .output()
            .map_err(|e| ClusterError::NotStarted { command: self.name.into(), why: crate::format::io(&e) })?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false if output.status.code().is_none() => {
                Err(ClusterError::Ended { command: self.name.into(), how: output.status.to_string() })
            }
            false => Err(ClusterError::of(self.name, &String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// Variables that choose the cluster, or authenticate the user.
const KEPT: &[&str] = &["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_CONF_SERVER", "SLURM_JWT"];

/// How the names of variables begin that are options of commands.
const OPTIONS: &[&str] = &["SBATCH_", "SCANCEL_", "SQUEUE_", "SACCT_"];
