//! Removing runs: rows and folders.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{ExecuteError, RunFolder, folder::bytes_of, own};
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

/// What a folder is called from the moment at which its removal begins.
pub(super) const GONE: &str = ".gone";

/// Removes runs: first their folders, which makes room on a full disk, then their rows. Wherever that is cut short, each run is
/// whole, or out of the database, or known and without a folder: then it is made again from its beginning. What may be left of
/// a folder is found by [`super::find_waste`]. `removed` is told how many more are gone. Gives back the folders that stay because they hold files that taper did not write.
///
/// # Errors
/// Where a process is at one of them, or a command that goes on plans it: then none is removed, unless it came to it in
/// between. Where a folder cannot be removed.
pub fn remove_runs(
    store: &mut Store,
    runs: &Path,
    records: &[RunRecord],
    removed: &mut dyn FnMut(usize),
) -> Result<Vec<PathBuf>, ExecuteError> {
    let mut left = Vec::new();
    let busy: Vec<&str> = records.iter().filter(|run| is_busy(runs, &run.key)).map(|run| run.name.as_str()).collect();
    if !busy.is_empty() {
        return Err(at_work(&busy.join("; ")));
    }
    let _plans = close_plans(store, runs, records)?;
    for records in records.chunks(AT_ONCE) {
        let mut locks = Vec::new();
        for run in records {
            locks.push(lock(runs, &run.key)?.ok_or_else(|| at_work(&run.name))?);
        }
        let keys: Vec<String> = records.iter().map(|run| run.key.clone()).collect();
        for key in &keys {
            let folder = RunFolder::new(runs, key);
            if !remove_folder(folder.path())? {
                left.push(folder.path().into());
            }
        }
        store.make_writable()?;
        store.remove_runs(&keys)?;
        removed(keys.len());
    }
    Ok(left)
}

/// Removes a run's folder, which may not be there; tells whether nothing of it is left. It has another name before the first of
/// its files is gone: nobody takes half of it for the whole. Where somebody else's files are in it, they stay with its name.
fn remove_folder(folder: &Path) -> Result<bool, ExecuteError> {
    let failed = |error| ExecuteError::Io { path: folder.into(), error };
    let mut gone = folder.as_os_str().to_owned();
    gone.push(GONE);
    let gone = Path::new(&gone);
    if !own::is_run(folder) || (gone.exists() && !own::is_run(gone)) {
        return own::remove_run(folder).map_err(failed);
    }
    let missing = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    let steps = [fs::remove_dir_all(gone), fs::rename(folder, gone), fs::remove_dir_all(gone)];
    match steps.into_iter().find_map(|step| step.err().filter(|e| !missing(e))) {
        Some(error) => Err(failed(error)),
        None => Ok(true),
    }
}

/// A command's part in the plan of an experiment: as long as it goes on, no run of the plan is removed.
#[derive(Debug)]
pub struct Planning(#[expect(dead_code, reason = "held")] RunLock);

impl Planning {
    /// Any number of commands may plan the same experiment.
    ///
    /// # Errors
    /// Where runs of the experiment are just being removed, for longer than a moment.
    pub fn begin(runs: &Path, experiment: &str) -> Result<Self, ExecuteError> {
        for _ in 0..PATIENCE.0 {
            if let Some(lock) = RunLock::share(runs, &plan(experiment))? {
                return Ok(Self(lock));
            }
            thread::sleep(PATIENCE.1);
        }
        Err(ExecuteError::Setting(format!(
            "another process removes runs of `{experiment}` at this moment: try again when it has ended"
        )))
    }
}

/// How long a removal is waited for.
const PATIENCE: (u32, Duration) = (50, Duration::from_millis(100));

/// What the names of such locks begin with.
const PLAN: &str = "plan-";

/// Name of the lock of an experiment's plan: its own name may be too long for a file, or none for one.
fn plan(experiment: &str) -> String {
    let digest = Sha256::digest(experiment);
    format!("{PLAN}{}", digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The locks of all plans that hold one of the runs: no command may be at them, and none begins.
fn close_plans(store: &Store, runs: &Path, records: &[RunRecord]) -> Result<Vec<RunLock>, ExecuteError> {
    let removed: HashSet<&str> = records.iter().map(|run| run.key.as_str()).collect();
    let mut locks = Vec::new();
    for experiment in store.experiments()? {
        if experiment.runs.iter().any(|(key, _)| removed.contains(key.as_str())) {
            let planned = || {
                ExecuteError::Setting(format!(
                    "a taper process is at the runs of `{}`, and would miss those that are removed: stop it first (Ctrl-C in \
                     its terminal)",
                    experiment.name
                ))
            };
            locks.push(RunLock::acquire(runs, &plan(&experiment.name))?.ok_or_else(planned)?);
        }
    }
    Ok(locks)
}

fn at_work(names: &str) -> ExecuteError {
    ExecuteError::Setting(format!("running at this moment: {names}; stop them first (Ctrl-C in their terminal)"))
}
