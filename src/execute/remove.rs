//! Removing runs: rows and folders.

use std::{fs, path::Path};

use super::{ExecuteError, RunFolder, folder::bytes_of};
use crate::store::{RunLock, RunRecord, Store, is_locked};

/// Runs whose locks are held at a time: each is an open file.
const AT_ONCE: usize = 100;

/// Whether a process is at the run: the command that owns it, or a worker that has outlived its command by a moment.
pub(super) fn is_busy(runs: &Path, key: &str) -> bool {
    is_locked(runs, key) || is_locked(runs, &worker(key))
}

/// Name of the lock of the worker at a run.
fn worker(key: &str) -> String {
    format!("{key}.worker")
}

/// Both locks of a run; none where a process is at it.
pub(super) fn lock(runs: &Path, key: &str) -> Result<Option<[RunLock; 2]>, ExecuteError> {
    let Some(own) = RunLock::acquire(runs, key)? else { return Ok(None) };
    Ok(RunLock::acquire(runs, &worker(key))?.map(|worker| [own, worker]))
}

/// Bytes on the disk of a run's folder.
pub fn run_bytes(runs: &Path, key: &str) -> u64 {
    bytes_of(RunFolder::new(runs, key).path())
}

/// Removes runs: first their rows, then their folders. Wherever that is cut short, each run is either still whole, or out of
/// the database with what may be left of its folder, which [`super::find_waste`] finds.
///
/// # Errors
/// Where a process is at one of them: then none is removed, unless it came to it in between. Where a folder cannot be removed.
pub fn remove_runs(store: &mut Store, runs: &Path, records: &[RunRecord]) -> Result<(), ExecuteError> {
    let busy: Vec<&str> = records.iter().filter(|run| is_busy(runs, &run.key)).map(|run| run.name.as_str()).collect();
    if !busy.is_empty() {
        return Err(at_work(&busy.join("; ")));
    }
    for records in records.chunks(AT_ONCE) {
        let mut locks = Vec::new();
        for run in records {
            locks.push(lock(runs, &run.key)?.ok_or_else(|| at_work(&run.name))?);
        }
        let keys: Vec<String> = records.iter().map(|run| run.key.clone()).collect();
        store.remove_runs(&keys)?;
        for key in &keys {
            let folder = RunFolder::new(runs, key);
            match fs::remove_dir_all(folder.path()) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ExecuteError::Io { path: folder.path().into(), error });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn at_work(names: &str) -> ExecuteError {
    ExecuteError::Setting(format!("running at this moment: {names}; stop them first (Ctrl-C in their terminal)"))
}
