//! What a run leaves under `runs/`: its resolved config, its state for resuming, its models.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::ExecuteError;
use crate::{
    data::Tokenizer,
    format::short,
    model::{ModelConfig, Named, write_folder},
    plan::{Keep, RunConfig},
    task::Task,
    train::{ResumeCheck, Resumed, previous, resume, resume_step},
};

/// A run's folder, `runs/<first 12 digits of its key>`.
#[derive(Debug, Clone)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of the run with that key.
    pub fn new(runs: &Path, key: &str) -> Self {
        Self(runs.join(short(key)))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The resolved config: a spec that repeats the run.
    pub fn config(&self) -> PathBuf {
        self.0.join("run.toml")
    }

    /// Everything that the next step depends on.
    pub fn state(&self) -> PathBuf {
        self.0.join("state.safetensors")
    }

    /// The state before it: what a run goes on from where the newer one is damaged.
    pub fn previous_state(&self) -> PathBuf {
        previous(&self.state())
    }

    /// Weights of the best evaluation so far.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// The model that is kept, a Hugging Face folder.
    pub fn model(&self) -> PathBuf {
        self.0.join("model")
    }

    /// The models of every evaluation (`keep = all`).
    pub fn step_models(&self) -> PathBuf {
        self.0.join("models")
    }

    /// The model as it was after a step (`keep = all`).
    pub fn step_model(&self, step: u64) -> PathBuf {
        self.step_models().join(format!("step-{step}"))
    }

    /// Makes the folder and writes `run.toml`.
    pub fn create(&self, config: &RunConfig) -> Result<(), ExecuteError> {
        let text = toml::to_string_pretty(&anchored(config)).map_err(|e| ExecuteError::Setting(e.to_string()))?;
        let io = |error| ExecuteError::Io { path: self.config(), error };
        std::fs::create_dir_all(&self.0).map_err(|error| ExecuteError::Io { path: self.0.clone(), error })?;
        let new = self.config().with_extension("new");
        File::create(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&new, self.config()))
            .map_err(|e| {
                let _ = std::fs::remove_file(&new);
                io(e)
            })
    }

    /// What the run resumes from: the newest checkpoint that the claim holds for, and what to tell the user about others. Those
    /// are removed.
    ///
    /// # Errors
    /// Where a file is there and cannot be opened or removed.
    pub fn resume(&self, config: &RunConfig, check: ResumeCheck) -> Result<Resumed, ExecuteError> {
        let best = (config.checkpoint.keep == Keep::Best).then(|| self.best());
        Ok(resume(&self.state(), best.as_deref(), check)?)
    }

    /// The step that the run would resume from where so many of its steps are stored; reads no more than headers.
    pub fn resume_step(&self, logged: u64) -> Option<u64> {
        resume_step(&self.state(), logged)
    }

    /// Writes a whole Hugging Face folder, tokenizer included: it cuts texts to the `max_length` of training. What was at `to` stays until the new one is whole.
    pub fn write_model(
        to: &Path,
        task: Task,
        shape: &ModelConfig,
        parameters: &[Named],
        labels: &[String],
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<(), ExecuteError> {
        let io = |error| ExecuteError::Io { path: to.into(), error };
        // Who writes holds the run's lock: what lies here was left by a process that is gone, and would lie for ever
        // under a name made up anew each time.
        let new = to.with_extension("new");
        remove(&new).map_err(io)?;
        let written = write_folder(task, shape, parameters, labels, &new)
            .map_err(ExecuteError::from)
            .and_then(|()| Ok(tokenizer.save(&new, max_length)?))
            .and_then(|()| sync(&new).map_err(io));
        if let Err(e) = written {
            // What is half written only takes room.
            let _ = remove(&new);
            return Err(e);
        }
        let above = to.parent().unwrap_or(Path::new("."));
        remove(to).and_then(|()| std::fs::rename(&new, to)).and_then(|()| File::open(above)?.sync_all()).map_err(io)
    }

    /// All that only a run that goes on needs, whether or not it is there; what a process that was killed was writing too.
    pub fn states(&self) -> [PathBuf; 5] {
        let temporary = |path: PathBuf| path.with_extension("tmp");
        // The older generation first: cut short anywhere, what is left is as good as before.
        [temporary(self.state()), temporary(self.best()), self.previous_state(), self.state(), self.best()]
    }

    /// Removes what only a run that goes on needs.
    pub fn forget_state(&self) -> Result<(), ExecuteError> {
        for path in self.states() {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ExecuteError::Io { path, error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The config with paths that hold wherever the file lies that they are written in.
fn anchored(config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    // A folder whose name is no text cannot be written into the file.
    let whole = |path: &Path| std::path::absolute(path).ok().filter(|path| path.to_str().is_some());
    let anchor = |path: &Path| whole(path).unwrap_or_else(|| path.into());
    for source in [&mut config.model.source, &mut config.data.source] {
        if let Some(path) = source.local_mut() {
            *path = anchor(path);
        }
    }
    config
}

/// Bytes of a file, or of all files in a folder; 0 where there is none.
pub(super) fn bytes_of(path: &Path) -> u64 {
    let Ok(facts) = path.symlink_metadata() else { return 0 };
    if !facts.is_dir() {
        return facts.len();
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| bytes_of(&entry.path())).sum()
}

/// Puts a folder and the files in it on the disk: a run is said to be done right after its model is written.
fn sync(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
