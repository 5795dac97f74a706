//! What lies in the runs folder and no run needs: for `taper gc`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{ExecuteError, RunFolder, folder::bytes_of, remove, verify};
use crate::{
    event::FailureKind,
    format::{KEY_DIGITS, short},
    store::{RunLock, RunRecord, RunState, Store, StoreError, is_locked},
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
    /// A run that is not in the database; the first digits of its key.
    Unknown(String),
    /// Nobody any more: a folder on its way out.
    Nobody,
    /// A process that holds the lock of this name as long as it goes on.
    Process(String),
    /// The lock of this name.
    Lock(String),
}

/// What a folder is called from the moment at which its removal begins.
const GONE: &str = ".gone";
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
        } else if name.len() == KEY_DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit()) {
            if !prefix_is_locked(runs, &name)? {
                found.push(waste(path, "a folder of a run that the database does not know", Owner::Unknown(name)));
            }
        } else if name.ends_with(GONE) {
            found.push(waste(path, "left from a removal that was cut short", Owner::Nobody));
        } else if name.starts_with(verify::PREFIX) && !is_locked(runs, &name) {
            found.push(waste(path, "left from a verification that was cut short", Owner::Process(name)));
        }
    }
    for name in names(&runs.join(LOCKS))? {
        if let Some(lock) = name.strip_suffix(".lock").filter(|lock| !is_locked(runs, lock)) {
            found.push(waste(runs.join(LOCKS).join(&name), "a lock that nobody holds", Owner::Lock(lock.into())));
        }
    }
    Ok(found)
}

/// Removes what [`find_waste`] found, as far as it still is waste. Gives back what was removed.
///
/// # Errors
/// Where something cannot be removed; what came before is gone then.
pub fn remove_waste(store: &mut Store, runs: &Path, found: Vec<Waste>) -> Result<Vec<Waste>, ExecuteError> {
    let mut removed = Vec::new();
    for waste in found {
        if remove_one(store, runs, &waste)? {
            removed.push(waste);
        }
    }
    Ok(removed)
}

fn remove_one(store: &mut Store, runs: &Path, waste: &Waste) -> Result<bool, ExecuteError> {
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
        Owner::Unknown(name) => {
            // A run is registered before it has a folder: while none can be, nobody can begin to use this one.
            let gone = runs.join(format!("{name}{GONE}"));
            let moved = store.while_closed(|keys| -> Result<bool, ExecuteError> {
                if keys.iter().any(|key| short(key) == name) || prefix_is_locked(runs, name)? {
                    return Ok(false);
                }
                delete(&gone)?;
                fs::rename(&waste.path, &gone).map_err(io(&waste.path))?;
                Ok(true)
            })??;
            if moved {
                delete(&gone)?;
            }
            Ok(moved)
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
    for within in [folder.path().to_path_buf(), folder.step_models()] {
        let temporary = |name: &String| {
            [".tmp", ".new", ".permissions"].iter().any(|ending| name.ends_with(ending)) || name.starts_with(".tmp")
        };
        let names = names(&within)?.into_iter().filter(temporary);
        found.extend(names.map(|name| of(within.join(name), "left from a write that was cut short")));
    }
    Ok(found)
}

/// Whether a process holds the lock of a run whose key begins with these digits.
fn prefix_is_locked(runs: &Path, digits: &str) -> Result<bool, ExecuteError> {
    let locks = names(&runs.join(LOCKS))?;
    let mut of_it = locks.iter().filter(|name| name.starts_with(digits)).filter_map(|name| name.strip_suffix(".lock"));
    Ok(of_it.any(|lock| is_locked(runs, lock)))
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
