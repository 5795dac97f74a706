//! What a run leaves under `runs/`: its resolved config, its state for resuming, its models.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::ExecuteError;
use crate::{
    data::Tokenizer,
    format::short,
    model::{Classifier, Parameters, write_folder},
    plan::{RunConfig, Source},
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
        std::fs::create_dir_all(&self.0).map_err(io)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.0).map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io)?;
        file.persist(self.config()).map_err(|e| io(e.error))?;
        Ok(())
    }

    /// Writes a whole Hugging Face folder, tokenizer included: it cuts texts to the `max_length` of training. What was at `to` stays until the new one is whole.
    pub fn write_model(
        to: &Path,
        model: &Classifier,
        parameters: &Parameters,
        labels: &[String],
        tokenizer: &Tokenizer,
        max_length: usize,
    ) -> Result<(), ExecuteError> {
        let io = |error| ExecuteError::Io { path: to.into(), error };
        let parent = to.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(io)?;
        let temporary = tempfile::Builder::new().prefix(".model-").tempdir_in(parent).map_err(io)?;
        write_folder(model, parameters, labels, temporary.path())?;
        tokenizer.save(temporary.path(), max_length)?;
        replace_folder(temporary, to).map_err(io)
    }

    /// Removes what only a run that goes on needs.
    pub fn forget_state(&self) -> Result<(), ExecuteError> {
        for path in [self.state(), self.best()] {
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
    let anchor = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
    for source in [&mut config.model.source, &mut config.data.source] {
        match source {
            Source::Path(path) => *path = anchor(path),
            Source::Scratch(name) if name.ends_with(".json") => {
                *name = anchor(Path::new(name.as_str())).display().to_string();
            }
            _ => {}
        }
    }
    config
}

/// Puts a folder in the place of another.
fn replace_folder(new: tempfile::TempDir, to: &Path) -> std::io::Result<()> {
    // Temporary folders are private; a model is as readable as what stands beside it.
    #[cfg(unix)]
    std::fs::set_permissions(new.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::rename(new.keep(), to)
}
