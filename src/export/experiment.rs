//! The measurements of an experiment in the formats of other programs.

use std::{
    fs,
    path::{self, Path, PathBuf},
};

use super::{
    ExperimentFormat, Refused,
    whole::{fill, free},
};
use crate::{execute::ExecuteError, store::Store};

/// Writes an experiment in a format to a folder that is new or empty. Returns its files, sorted.
///
/// # Errors
/// The folder is not empty, the experiment is unknown, or writing fails: then nothing is left behind.
pub fn export_experiment(
    format: &dyn ExperimentFormat,
    store: &Store,
    experiment: &str,
    dir: &Path,
) -> Result<Vec<PathBuf>, Refused> {
    free(dir)?;
    let at = dir.canonicalize().or_else(|_| path::absolute(dir));
    let at = at.map_err(|error| Refused::Folder { path: dir.into(), error })?;
    let write = |new: &Path| {
        let names = format.write(store, experiment, new, &at)?;
        for name in &names {
            let path = new.join(name);
            let synced = fs::File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|error| ExecuteError::Io { path, error })?;
        }
        Ok(names.into_iter().map(PathBuf::into_os_string).collect())
    };
    let mut files = fill(dir, write)?;
    files.sort();
    Ok(files)
}
