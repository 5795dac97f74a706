//! The kept model of a run, which is used only if its files are unchanged.
//!
//! The database stores the digest of each file. A model from a version that did not store them is checked by the digest of its weights,
//! which all versions stored.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{ExecuteError, RunFolder, stored_progress};
use crate::{
    assets::{AssetError, KnownFiles, Unlike, digest_file},
    data::Tokenizer,
    event::{Event, KeptFile},
    model::{ModelConfig, Named, read_weights},
    plan::Keep,
    store::{RunRecord, Store},
    train::weights_digest,
};

/// The weights of a model that taper writes.
const WEIGHTS: &str = "model.safetensors";

/// The error for a kept model whose files changed.
#[derive(Debug, thiserror::Error)]
#[error("{}: the kept model is damaged: {what}; `taper run` trains the run again", folder.display())]
pub struct Damaged {
    /// Its folder.
    pub folder: PathBuf,
    /// What changed.
    pub what: String,
}

/// The model that a run kept.
pub struct Kept {
    folder: PathBuf,
    /// Files with their digests; `None` if they were not stored.
    known: Option<KnownFiles>,
    /// SHA-256 of the names, shapes and values of its weights.
    weights_sha256: Option<String>,
}

impl Kept {
    /// The kept model of a run; `None` if its folder does not exist.
    ///
    /// # Errors
    /// If the database cannot be read, or nothing can be said of the folder.
    pub fn of(store: &Store, runs: &Path, run: &RunRecord) -> Result<Option<Self>, ExecuteError> {
        let folder = RunFolder::new(runs, &run.key).model();
        match fs::metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Err(error) if hides_content(&error) => {
                return Err(ExecuteError::Unreadable(AssetError::Io { path: folder, error }));
            }
            Ok(_) | Err(_) => return Ok(None),
        }
        let files = store.kept_files(&run.key)?;
        let known = (!files.is_empty())
            .then(|| KnownFiles::new(files.into_iter().map(|file| (folder.join(file.name), file.sha256)), Vec::new()));
        Ok(Some(Self { folder, known, weights_sha256: run.weights_sha256.clone() }))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what `read` reads from the folder, if its files are unchanged.
    ///
    /// # Errors
    /// Those of `read`; [`Damaged`] if a file changed; [`ExecuteError::Unreadable`].
    pub fn reading<T>(&self, read: impl FnOnce() -> Result<T, ExecuteError>) -> Result<T, ExecuteError> {
        let Some(known) = &self.known else {
            let value = read().map_err(|e| self.check().err().unwrap_or(e))?;
            self.check_weights()?;
            return Ok(value);
        };
        match known.reading(|_| true, read) {
            Ok(value) => Ok(value),
            // A damaged file can be unreadable: then the damage is the better message.
            Err(e) => Err(known.check().err().map_or(e, |u| self.fault(u))),
        }
    }

    /// Checks that all files are unchanged.
    ///
    /// # Errors
    /// [`Damaged`] if a file changed; [`ExecuteError::Unreadable`].
    pub fn check(&self) -> Result<(), ExecuteError> {
        match &self.known {
            Some(_) => self.reading(|| Ok(())),
            None => {
                self.open()?;
                let unreadable = |e: &dyn std::fmt::Display| self.damaged(e.to_string());
                ModelConfig::read(&self.folder.join("config.json")).map_err(|e| unreadable(&e))?;
                Tokenizer::from_folder(&self.folder).map_err(|e| unreadable(&e))?;
                self.check_weights()
            }
        }
    }

    fn check_weights(&self) -> Result<(), ExecuteError> {
        let path = self.folder.join(WEIGHTS);
        let tensors = read_weights(&path).map_err(|e| self.damaged(e.to_string()))?;
        let parameters: Vec<Named> = tensors.iter().map(|(name, tensor)| Named::of(name.clone(), tensor)).collect();
        let is = weights_digest(&parameters)?;
        match &self.weights_sha256 {
            Some(was) if *was != is => {
                Err(self.damaged(format!("{WEIGHTS} has weights with the digest {is}, expected {was}")).into())
            }
            _ => Ok(()),
        }
    }

    /// Opens each file, so that one that cannot be read is not called damaged.
    fn open(&self) -> Result<(), ExecuteError> {
        let hidden = |path: PathBuf| move |error| ExecuteError::Unreadable(AssetError::Io { path, error });
        for entry in fs::read_dir(&self.folder).map_err(hidden(self.folder.clone()))? {
            let path = entry.map_err(hidden(self.folder.clone()))?.path();
            match fs::File::open(&path) {
                Err(error) if hides_content(&error) => return Err(hidden(path)(error)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// The error for a file that is not as it was, or cannot be read.
    fn fault(&self, unlike_: Unlike) -> ExecuteError {
        match unlike_ {
            Unlike::Unreadable(AssetError::Io { path, error }) if hides_content(&error) => {
                ExecuteError::Unreadable(AssetError::Io { path, error })
            }
            changed => self.damaged(unlike(&self.folder, changed)).into(),
        }
    }

    fn damaged(&self, what: String) -> Damaged {
        Damaged { folder: self.folder.clone(), what }
    }
}

/// Whether an error leaves open what a file contains: it is there, and may be sound.
fn hides_content(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, IsADirectory, NotADirectory, NotFound, UnexpectedEof};
    !matches!(error.kind(), NotFound | NotADirectory | IsADirectory | InvalidData | UnexpectedEof)
}

/// Describes a changed file by its name in the folder.
fn unlike(folder: &Path, error: Unlike) -> String {
    let name = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    match &error {
        Unlike::Content { path, was, is } => format!("{} has SHA-256 {is}, expected {was}", name(path)),
        Unlike::Moving { path } => format!("{} changed while it was read", name(path)),
        Unlike::Unreadable(e) => e.to_string(),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ExecuteError + '_ {
    move |error| ExecuteError::Io { path: path.into(), error }
}

/// The files of a model with their sizes and digests.
pub(super) fn measure(folder: &Path) -> Result<Vec<KeptFile>, ExecuteError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata().map_err(failed(folder))?;
        if metadata.is_file() {
            let (bytes, modified_ns) = facts(&metadata);
            files.push(KeptFile { name, bytes, sha256: digest_file(&entry.path())?, modified_ns });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Size in bytes, and modification time in nanoseconds since 1970.
fn facts(metadata: &fs::Metadata) -> (u64, Option<i64>) {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (metadata.len(), modified.and_then(|since| i64::try_from(since.as_nanos()).ok()))
}

/// The result of looking at the model of a completed run.
pub(super) enum Look {
    /// Unchanged, as far as was checked.
    Same,
    /// Unchanged in content, but with other modification times: the present files.
    Touched(Vec<KeptFile>),
    /// Missing or damaged, with the reason.
    Lost(String),
}

/// Checks the model of a completed run.
///
/// Unless `closely` is set, files with the same size and modification time count as unchanged, so that running a completed sweep again does
/// not read all its models.
pub(super) fn look(
    store: &Store,
    runs: &Path,
    run: &RunRecord,
    keep: Keep,
    closely: bool,
) -> Result<Look, ExecuteError> {
    let folder = RunFolder::new(runs, &run.key);
    if keep == Keep::None {
        return Ok(Look::Same);
    }
    if keep == Keep::All && !folder.step_models().is_dir() {
        return Ok(Look::Lost(
            "the models of its evaluations are missing: only checkpoint.keep = \"all\" keeps them".into(),
        ));
    }
    let files = store.kept_files(&run.key)?;
    let Some(kept) = Kept::of(store, runs, run)? else {
        let what = match files.is_empty() {
            true => "it kept no model: it was run with checkpoint.keep = \"none\"",
            false => "its kept model is missing",
        };
        return Ok(Look::Lost(what.into()));
    };
    let is_same = |file: &KeptFile| {
        let metadata = fs::metadata(kept.folder.join(&file.name)).ok().filter(fs::Metadata::is_file);
        metadata.is_some_and(|metadata| facts(&metadata) == (file.bytes, file.modified_ns))
    };
    if !closely && !files.is_empty() && files.iter().all(is_same) {
        return Ok(Look::Same);
    }
    match kept.check() {
        Ok(()) => {
            let mut now = measure(&kept.folder)?;
            // Foreign files are not part of the model.
            now.retain(|file| files.is_empty() || files.iter().any(|known| known.name == file.name));
            Ok(Look::Touched(now))
        }
        Err(ExecuteError::Kept(Damaged { what, .. })) => Ok(Look::Lost(format!("its kept model is damaged ({what})"))),
        Err(e) => Err(e),
    }
}

/// Why the model of a completed run, whose lock the caller holds, is unusable; `None` if it is usable. New modification times of unchanged
/// files are stored.
pub(super) fn problem(
    store: &mut Store,
    runs: &Path,
    run: &RunRecord,
    keep: Keep,
    closely: bool,
) -> Result<Option<String>, ExecuteError> {
    match look(store, runs, run, keep, closely)? {
        Look::Same => Ok(None),
        Look::Lost(what) => Ok(Some(what)),
        Look::Touched(files) => {
            store.append(&run.key, &[Event::ModelKept { files }])?;
            Ok(None)
        }
    }
}

/// Why `taper run` would train a completed run again: what is missing or damaged; `None` if nothing is. The kept model is checked as by
/// `taper run`; nothing is written.
///
/// # Errors
/// If the database or a file of the model cannot be read.
pub fn lost(store: &Store, runs: &Path, run: &RunRecord, keep: Keep) -> Result<Option<String>, ExecuteError> {
    match stored_progress::missing_measurements(store, run)? {
        Some(missing) => Ok(Some(missing)),
        None => match look(store, runs, run, keep, false)? {
            Look::Lost(what) => Ok(Some(what)),
            Look::Same | Look::Touched(_) => Ok(None),
        },
    }
}
