//! What lies in the runs folder and no run needs: for `taper gc`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    ExecuteError, RunFolder,
    folder::bytes_of,
    own,
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
    /// Which.
    pub path: PathBuf,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Why no run needs it.
    pub why: &'static str,
    #[serde(skip)]
    of: Owner,
}

/// Whose it was.
#[derive(Debug, Clone, PartialEq)]
enum Owner {
    /// The run of this key.
    Run(String),
    /// Nobody any more: a folder on its way out.
    Nobody,
    /// A process that holds the lock of this name as long as it goes on.
    Process(String),
    /// The lock of this name.
    Lock(String),
}

/// Folder of the locks.
const LOCKS: &str = "locks";

/// Everything in the folder `runs` that no run needs. What belongs to a running process is left out.
///
/// # Errors
/// Where the database or the folder cannot be read.
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
        } else if name.strip_suffix(GONE).is_some_and(own::is_key) && own::is_run(&path) {
            found.push(waste(path, "left from a removal that was cut short", Owner::Nobody));
        } else if name.strip_prefix(verify::PREFIX).is_some_and(own::is_key)
            && own::is_verification(&path)
            && !is_locked(runs, &name)
        {
            found.push(waste(path, "left from a verification that was cut short", Owner::Process(name)));
        }
    }
    for name in names(&runs.join(LOCKS))? {
        // A lock has no bytes: whatever has some was put there by somebody else.
        let empty =
            runs.join(LOCKS).join(&name).symlink_metadata().is_ok_and(|facts| facts.is_file() && facts.len() == 0);
        if let Some(lock) = name.strip_suffix(".lock").filter(|lock| empty && is_free(runs, lock)) {
            found.push(waste(runs.join(LOCKS).join(&name), "a lock that no process holds", Owner::Lock(lock.into())));
        }
    }
    Ok(found)
}

/// Folders of runs that the database does not know. They are no waste: another database may know them, or it was lost.
///
/// # Errors
/// Where the database or the folder cannot be read.
pub fn find_unknown(store: &Store, runs: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
    let records = store.runs()?;
    let unknown = |name: &String| own::is_key(name) && records.iter().all(|run| short(&run.key) != name);
    let paths = names(runs)?.into_iter().filter(unknown).map(|name| runs.join(name));
    Ok(paths.filter(|path| own::is_run(path)).collect())
}

/// Removes what [`find_waste`] found, as far as it still is waste. Gives back what was removed.
///
/// # Errors
/// Where something cannot be removed; what came before is gone then.
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
            // A process may have come to the run since, and ended again.
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
        Owner::Nobody => delete(&waste.path).map(|()| true),
        Owner::Process(lock) | Owner::Lock(lock) => {
            let Some(_lock) = RunLock::acquire(runs, lock)? else { return Ok(false) };
            delete(&waste.path).map(|()| true)
        }
    }
}

/// What a run's folder holds that the run does not need. Nobody may be at the run.
fn of_run(runs: &Path, run: &RunRecord) -> Result<Vec<Waste>, ExecuteError> {
    let folder = RunFolder::new(runs, &run.key);
    let of = |path: PathBuf, why| waste(path, why, Owner::Run(run.key.clone()));
    let mut found = Vec::new();
    let why = match run.state {
        RunState::Completed => Some("the state of a run that is done"),
        RunState::Pruned => Some("the state of a run that was pruned"),
        // From there it would take the same steps again.
        RunState::Failed if run.failure == Some(FailureKind::Diverged) => Some("the state of a run that diverged"),
        _ => None,
    };
    if let Some(why) = why {
        found.extend(folder.states().into_iter().filter(|path| path.is_file()).map(|path| of(path, why)));
    }
    let cut_short = "left from a write that was cut short";
    let files = ["run.new", "state.tmp", "best.tmp"].map(|name| folder.path().join(name));
    let known: Vec<PathBuf> = found.iter().map(|waste: &Waste| waste.path.clone()).collect();
    found.extend(
        files.into_iter().filter(|path| path.is_file() && !known.contains(path)).map(|path| of(path, cut_short)),
    );
    let step_models = names(&folder.step_models())?.into_iter().filter(|name| own::is_step_model(name));
    let step_models = step_models.filter(|name| name.ends_with(".new")).map(|name| folder.step_models().join(name));
    let models = [folder.model().with_extension("new")].into_iter().chain(step_models);
    found.extend(models.filter(|path| own::is_model(path)).map(|path| of(path, cut_short)));
    Ok(found)
}

fn waste(path: PathBuf, why: &'static str, of: Owner) -> Waste {
    Waste { bytes: bytes_of(&path), path, why, of }
}

/// Names in a folder, sorted; none where it does not exist.
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

/// Removes a file or folder that may be gone already.
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
