//! The model that a run kept: used only as it was written.
//!
//! The database holds the digest of each file. A model of a version that did not write them down is held against the digest of
//! its weights, which is older.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use super::{ExecuteError, RunFolder, logged};
use crate::{
    assets::{KnownFiles, Unlike, digest_file},
    data::Tokenizer,
    event::{Event, KeptFile},
    model::{ModelConfig, Named, read_weights},
    plan::Keep,
    store::{RunRecord, Store},
    train::weights_digest,
};

/// The weights of a model that taper writes.
const WEIGHTS: &str = "model.safetensors";

/// A kept model that is not what the run kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: the kept model is damaged: {what}; `taper run` trains the run again", folder.display())]
pub struct Damaged {
    /// Its folder.
    pub folder: PathBuf,
    /// What is not as it was.
    pub what: String,
}

/// The model that a run kept.
pub struct Kept {
    folder: PathBuf,
    /// None: what its files were was not written down.
    known: Option<KnownFiles>,
    /// SHA-256 over names, shapes and values of its weights.
    weights_sha256: Option<String>,
}

impl Kept {
    /// The model of a run; none where there is none.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn of(store: &Store, runs: &Path, run: &RunRecord) -> Result<Option<Self>, ExecuteError> {
        let folder = RunFolder::new(runs, &run.key).model();
        if !folder.is_dir() {
            return Ok(None);
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

    /// Gives what `read` reads from the folder, if that is what the run kept.
    ///
    /// # Errors
    /// Those of `read`; [`Damaged`] where a file is not as it was written.
    pub fn reading<T>(&self, read: impl FnOnce() -> Result<T, ExecuteError>) -> Result<T, ExecuteError> {
        let Some(known) = &self.known else {
            let value = read()?;
            self.check_weights()?;
            return Ok(value);
        };
        match known.reading(|_| true, read) {
            Ok(value) => Ok(value),
            // A damaged file may not be readable at all: that it is damaged is the better word.
            Err(e) => Err(known.check().err().map_or(e, |u| self.damaged(unlike(&self.folder, u)).into())),
        }
    }

    /// Whether all of it is as the run kept it.
    ///
    /// # Errors
    /// [`Damaged`] where it is not.
    pub fn check(&self) -> Result<(), ExecuteError> {
        match &self.known {
            Some(_) => self.reading(|| Ok(())),
            None => {
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

    fn damaged(&self, what: String) -> Damaged {
        Damaged { folder: self.folder.clone(), what }
    }
}

/// What is not as it was, with names in the folder.
fn unlike(folder: &Path, error: Unlike) -> String {
    let name = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    match &error {
        Unlike::Content { path, was, is } => format!("{} has SHA-256 {is}, expected {was}", name(path)),
        Unlike::Moving { path } => format!("{} changed while it was read", name(path)),
        Unlike::Unreadable(e) => e.to_string(),
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> ExecuteError + '_ {
    move |error| ExecuteError::Io { path: path.into(), error }
}

/// The files of a model as they are.
pub(super) fn measure(folder: &Path) -> Result<Vec<KeptFile>, ExecuteError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        let entry = entry.map_err(io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let metadata = entry.metadata().map_err(io(folder))?;
        if metadata.is_file() {
            let (bytes, modified_ns) = facts(&metadata);
            files.push(KeptFile { name, bytes, sha256: digest_file(&entry.path())?, modified_ns });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Size, and time of the last change of its content.
fn facts(metadata: &fs::Metadata) -> (u64, Option<i64>) {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    (metadata.len(), modified.and_then(|since| i64::try_from(since.as_nanos()).ok()))
}

/// How the model of a completed run was found.
pub(super) enum Look {
    /// As the run kept it, as far as was looked.
    Same,
    /// As the run kept it, though its files were touched since: what they are now.
    Touched(Vec<KeptFile>),
    /// What is wrong with it.
    Lost(String),
}

/// Looks at the model of a completed run.
///
/// Unless it is looked at closely, files of the same size and time are taken for what they were, so that a sweep that is done
/// costs no second look at all its models.
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
            "the models of its evaluations are not there: only checkpoint.keep = \"all\" keeps them".into(),
        ));
    }
    let files = store.kept_files(&run.key)?;
    let Some(kept) = Kept::of(store, runs, run)? else {
        let what = match files.is_empty() {
            true => "it kept no model: it was run with checkpoint.keep = \"none\"",
            false => "its kept model is not there",
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
            // What somebody else put there is not of the model.
            now.retain(|file| files.is_empty() || files.iter().any(|known| known.name == file.name));
            Ok(Look::Touched(now))
        }
        Err(ExecuteError::Kept(Damaged { what, .. })) => Ok(Look::Lost(format!("its kept model is damaged ({what})"))),
        Err(e) => Err(e),
    }
}

/// What is wrong with the model of a completed run, whose lock is held; none: nothing. What is found to be sound in spite of
/// another time is written down with it.
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

/// What is lost of a run that the database says is completed, for which `taper run` trains it again; none: nothing. The kept model
/// is looked at as `taper run` does; nothing is written.
///
/// # Errors
/// Where the database or a file of the model cannot be read.
pub fn lost(store: &Store, runs: &Path, run: &RunRecord, keep: Keep) -> Result<Option<String>, ExecuteError> {
    match logged::missing(store, run)? {
        Some(missing) => Ok(Some(missing)),
        None => match look(store, runs, run, keep, false)? {
            Look::Lost(what) => Ok(Some(what)),
            Look::Same | Look::Touched(_) => Ok(None),
        },
    }
}
