//! What the jobs of a command ask for, and their script.

use std::{
    env,
    path::{self, PathBuf},
};

use crate::{
    cluster::{Script, Slurm, SlurmSettings, quoted},
    execute::{DeviceChoice, ExecuteError, SubmissionFolder},
};

/// How a command trains runs as jobs of Slurm.
#[derive(Debug, Clone)]
pub struct SlurmJobs {
    /// Slurm.
    pub slurm: Slurm,
    /// What each job does.
    pub script: JobScript,
    /// Jobs at a time.
    pub most: usize,
    /// The command.
    pub command: String,
}

/// What the jobs of elements are and do.
#[derive(Debug, Clone)]
pub struct JobScript {
    /// What a job asks for.
    pub settings: SlurmSettings,
    /// taper, at a path that the nodes have too.
    pub program: PathBuf,
    /// Device to train on, in the job.
    pub device: DeviceChoice,
    /// Number of threads; those that the job was given if absent.
    pub threads: Option<u16>,
}

impl JobScript {
    /// The script of an array whose elements are those of the submission in `folder`.
    ///
    /// # Errors
    /// If it cannot name one of its folders.
    pub fn array(&self, folder: &SubmissionFolder) -> Result<String, ExecuteError> {
        let absolute = |path: PathBuf| path::absolute(&path).map_err(|error| ExecuteError::Io { path, error });
        let mut words = vec![
            quoted(&self.program.to_string_lossy()),
            "worker".into(),
            "--element".into(),
            quoted(&absolute(folder.path().into())?.to_string_lossy()),
            "--task".into(),
            "\"$element\"".into(),
        ];
        if self.device != DeviceChoice::Auto {
            words.extend(["--device".into(), self.device.to_string()]);
        }
        words.extend(self.threads.iter().flat_map(|threads| ["--threads".into(), threads.to_string()]));
        let logs = absolute(folder.logs())?;
        let here = env::current_dir().map_err(|error| ExecuteError::Io { path: ".".into(), error })?;
        let script = Script { settings: &self.settings, logs: &logs, folder: &here, command: &words.join(" ") };
        Ok(script.array()?)
    }
}
