//! Finds and removes files in the runs folder that no run needs: for `taper gc`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    ExecuteError, RunFolder,
    folder::bytes_of,
    owned_files,
    remove::{self, GONE},
    verify,
};
use crate::{
    event::FailureKind,
    format::short,
    store::{RunLock, RunRecord, RunState, Store, StoreError, is_free, is_locked},
};

/// A file or folder that no run needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waste {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why no run needs it.
    pub why: &'static str,
    #[serde(skip)]
    of: Owner,
}

/// What a file or folder belonged to.
#[derive(Debug, Clone, PartialEq)]
enum Owner {
    /// The run of this key.
    Run(String),
    /// Nothing: a folder whose removal was interrupted.
    Unowned,
    /// A process that holds the lock with this name while it runs.
    Process(String),
    /// The lock with this name.
    Lock(String),
}

/// Folder of the locks.
const LOCKS: &str = "locks";

/// Everything in the folder `runs` that no run needs, except files of running processes.
///
/// # Errors
/// If the database or the folder cannot be read.
pub fn find_waste(store: &Store, runs: &Path) -> Result<Vec<Waste>, ExecuteError> {
    let records = store.runs()?;
    let mut found = Vec::new();
    for name in names(runs)? {
        let path = runs.join(&name);
        if !path.is_dir() {
            continue;
        }
        let known = records.iter().find(|run| short(&run.key) == name);
        if let Some(run) = known {
            if !remove::is_busy(runs, &run.key) {
                found.extend(of_run(runs, run)?);
            }
        } else if name.strip_suffix(GONE).is_some_and(owned_files::is_key) && owned_files::is_run(&path) {
            found.push(waste(path, "left over from an interrupted removal", Owner::Unowned));
        } else if name.strip_prefix(verify::PREFIX).is_some_and(owned_files::is_key)
            && owned_files::is_verification(&path)
            && !is_locked(runs, &name)
        {
            found.push(waste(path, "left over from an interrupted verification", Owner::Process(name)));
        }
    }
    for name in names(&runs.join(LOCKS))? {
        // Lock files are empty: a file with content is foreign.
        let empty =
            runs.join(LOCKS).join(&name).symlink_metadata().is_ok_and(|facts| facts.is_file() && facts.len() == 0);
        if let Some(lock) = name.strip_suffix(".lock").filter(|lock| empty && is_free(runs, lock)) {
            found.push(waste(runs.join(LOCKS).join(&name), "a lock that no process holds", Owner::Lock(lock.into())));
        }
    }
    Ok(found)
}

/// Folders of runs that the database does not know. They are not waste: another database possibly knows them, or the database was lost.
///
/// # Errors
/// If the database or the folder cannot be read.
pub fn find_unknown(store: &Store, runs: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
    let records = store.runs()?;
    let unknown = |name: &String| owned_files::is_key(name) && records.iter().all(|run| short(&run.key) != name);
    let paths = names(runs)?.into_iter().filter(unknown).map(|name| runs.join(name));
    Ok(paths.filter(|path| owned_files::is_run(path)).collect())
}

/// Removes what [`find_waste`] found, if it is still waste. Returns what was removed.
///
/// # Errors
/// If something cannot be removed; earlier entries are then removed.
pub fn remove_waste(store: &Store, runs: &Path, found: Vec<Waste>) -> Result<Vec<Waste>, ExecuteError> {
    let mut removed = Vec::new();
    for waste in found {
        if remove_one(store, runs, &waste)? {
            removed.push(waste);
        }
    }
    Ok(removed)
}

fn remove_one(store: &Store, runs: &Path, waste: &Waste) -> Result<bool, ExecuteError> {
    match &waste.of {
        Owner::Run(key) => {
            // Another process can have trained the run since.
            let Some(_locks) = remove::lock(runs, key)? else { return Ok(false) };
            let still = match store.run(key) {
                Ok(run) => of_run(runs, &run)?.iter().any(|other| other.path == waste.path),
                Err(StoreError::UnknownRun { .. }) => false,
                Err(e) => return Err(e.into()),
            };
            if still {
                delete(&waste.path)?;
            }
            Ok(still)
        }
        Owner::Unowned => delete(&waste.path).map(|()| true),
        Owner::Process(lock) | Owner::Lock(lock) => {
            let Some(_lock) = RunLock::acquire(runs, lock)? else { return Ok(false) };
            delete(&waste.path).map(|()| true)
        }
    }
}

/// Files in a run's folder that the run does not need. The caller ensures that no process works on the run.
fn of_run(runs: &Path, run: &RunRecord) -> Result<Vec<Waste>, ExecuteError> {
    let folder = RunFolder::new(runs, &run.key);
    let of = |path: PathBuf, why| waste(path, why, Owner::Run(run.key.clone()));
    let mut found = Vec::new();
    let why = match run.state {
        RunState::Completed => Some("the training state of a completed run"),
        RunState::Pruned => Some("the training state of a pruned run"),
        // It would diverge again from there.
        RunState::Failed if run.failure == Some(FailureKind::Diverged) => Some("the training state of a diverged run"),
        _ => None,
    };
    if let Some(why) = why {
        found.extend(folder.states().into_iter().filter(|path| path.is_file()).map(|path| of(path, why)));
    }
    let cut_short = "left over from an interrupted write";
    let files = ["run.new", "state.tmp", "best.tmp"].map(|name| folder.path().join(name));
    let known: Vec<PathBuf> = found.iter().map(|waste: &Waste| waste.path.clone()).collect();
    found.extend(
        files.into_iter().filter(|path| path.is_file() && !known.contains(path)).map(|path| of(path, cut_short)),
    );
    let step_models = names(&folder.step_models())?.into_iter().filter(|name| owned_files::is_step_model(name));
    let step_models = step_models.filter(|name| name.ends_with(".new")).map(|name| folder.step_models().join(name));
    let models = [folder.model().with_extension("new")].into_iter().chain(step_models);
    found.extend(models.filter(|path| owned_files::is_model(path)).map(|path| of(path, cut_short)));
    Ok(found)
}

fn waste(path: PathBuf, why: &'static str, of: Owner) -> Waste {
    Waste { bytes: bytes_of(&path), path, why, of }
}

/// Sorted names in a folder; none if it does not exist.
fn names(folder: &Path) -> Result<Vec<String>, ExecuteError> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(io(folder))?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// Removes a file or folder if it exists.
fn delete(path: &Path) -> Result<(), ExecuteError> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}

fn io(path: &Path) -> impl FnOnce(io::Error) -> ExecuteError + '_ {
    move |error| ExecuteError::Io { path: path.into(), error }
}
