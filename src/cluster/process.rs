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
        // What the user has set to change how tables look would change what is read here.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            let of_a_job = name.starts_with("SLURM_") && !KEPT.contains(&&*name);
            if of_a_job || name.starts_with("SQUEUE_") || name.starts_with("SACCT_") {
                command.env_remove(&*name);
            }
        }
        command.envs(self.config.iter().map(|config| ("SLURM_CONF", config)));
        command.env("SLURM_TIME_FORMAT", "%s").args(arguments).stdin(Stdio::null());
        let output = command
            .output()
            .map_err(|e| ClusterError::NotStarted { command: self.name.into(), why: crate::format::io(&e) })?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(ClusterError::of(self.name, &String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// Variables that say which cluster is meant.
const KEPT: &[&str] = &["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_CONF_SERVER"];
