//! The folder of a run under `runs/`: its resolved config, its checkpoints, its models.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use super::{ExecuteError, decision_file};
use crate::{
    data::Tokenizer,
    event::Decided,
    format::short,
    model::{ModelConfig, Named, write_folder},
    plan::{Keep, RunConfig},
    task::Task,
    train::{ResumeCheck, Resumed, previous, resume, resume_step},
};

/// A model as it is written, but for its weights.
pub struct TrainedModel<'a> {
    /// What it is trained to do.
    pub task: Task,
    /// Its shape.
    pub shape: &'a ModelConfig,
    /// The names of its labels, by id.
    pub labels: &'a [String],
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The most tokens that it was trained with.
    pub max_length: usize,
}

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

    /// The previous state, from which a run resumes if the newest is damaged.
    pub fn previous_state(&self) -> PathBuf {
        previous(&self.state())
    }

    /// Weights of the best evaluation so far.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// The kept model, a Hugging Face folder.
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

    /// Creates the folder and writes `run.toml`.
    pub fn create(&self, config: &RunConfig) -> Result<(), ExecuteError> {
        let text = anchored(config).to_toml().map_err(|e| ExecuteError::Setting(e.to_string()))?;
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

    /// The newest checkpoint that meets `check`, and messages about others, which are removed.
    ///
    /// # Errors
    /// If a file exists and cannot be opened or removed.
    pub fn resume(&self, config: &RunConfig, check: ResumeCheck) -> Result<Resumed, ExecuteError> {
        let best = (config.checkpoint.keep == Keep::Best).then(|| self.best());
        Ok(resume(&self.state(), best.as_deref(), check)?)
    }

    /// The step that the run would resume from if steps up to `logged` are stored; reads headers only.
    pub fn resume_step(&self, logged: u64) -> Option<u64> {
        resume_step(&self.state(), logged)
    }

    /// Writes a complete Hugging Face folder with the tokenizer, which cuts texts to the `max_length` of training, and with what was decided
    /// on the dev rows. A folder at `to` is replaced
    /// only when the new one is complete.
    pub fn write_model(
        to: &Path,
        model: &TrainedModel<'_>,
        parameters: &[Named],
        decided: Option<&Decided>,
    ) -> Result<(), ExecuteError> {
        let &TrainedModel { task, shape, labels, tokenizer, max_length } = model;
        let io = |error| ExecuteError::Io { path: to.into(), error };
        // The caller holds the run's lock, so an existing folder is the rest of a process that is gone. The name is fixed so that such a
        // rest is found and removed.
        let new = to.with_extension("new");
        remove(&new).map_err(io)?;
        let written = write_folder(task, shape, parameters, labels, &new)
            .map_err(ExecuteError::from)
            .and_then(|()| Ok(tokenizer.save(&new, max_length)?))
            .and_then(|()| decided.map_or(Ok(()), |decided| decision_file::write(&new, decided, labels)))
            .and_then(|()| sync(&new).map_err(io));
        if let Err(e) = written {
            // An incomplete folder only takes space.
            let _ = remove(&new);
            return Err(e);
        }
        let above = to.parent().unwrap_or(Path::new("."));
        remove(to).and_then(|()| std::fs::rename(&new, to)).and_then(|()| File::open(above)?.sync_all()).map_err(io)
    }

    /// Paths of all files that only resuming needs, existing or not, with the temporary files of a process that was killed.
    pub fn states(&self) -> [PathBuf; 5] {
        let temporary = |path: PathBuf| path.with_extension("tmp");
        // The previous state first: an interrupted removal leaves a usable checkpoint.
        [temporary(self.state()), temporary(self.best()), self.previous_state(), self.state(), self.best()]
    }

    /// Removes all files that only resuming needs.
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

/// The config with absolute paths, which are valid in a file in any folder.
fn anchored(config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    // A path that is not Unicode cannot be written to the file.
    let whole = |path: &Path| std::path::absolute(path).ok().filter(|path| path.to_str().is_some());
    let anchor = |path: &Path| whole(path).unwrap_or_else(|| path.into());
    for source in std::iter::once(&mut config.model.source).chain(config.data.sources_mut()) {
        if let Some(path) = source.local_mut() {
            *path = anchor(path);
        }
    }
    config
}

/// Size in bytes of a file, or of all files in a folder; 0 if it does not exist.
pub(super) fn bytes_of(path: &Path) -> u64 {
    let Ok(facts) = path.symlink_metadata() else { return 0 };
    if !facts.is_dir() {
        return facts.len();
    }
    std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| bytes_of(&entry.path())).sum()
}

/// Syncs a folder and its files to disk: the run is stored as completed right after its model is written.
fn sync(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(folder)?.sync_all()
}

/// Removes a folder if it exists.
fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
