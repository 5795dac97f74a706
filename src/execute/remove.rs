//! Removes runs: their rows in the database and their folders.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{ExecuteError, RunFolder, folder::bytes_of, owned_files};
use crate::store::{RunLock, RunRecord, Store, is_free, is_locked};

/// Number of runs whose locks are held at a time: each lock is an open file.
const AT_ONCE: usize = 100;

/// Whether a process works on the run: its command, or a worker that briefly outlives its command.
pub(super) fn is_busy(runs: &Path, key: &str) -> bool {
    is_locked(runs, key) || is_locked(runs, &worker(key))
}

/// Name of the lock of the worker of a run.
fn worker(key: &str) -> String {
    format!("{key}.worker")
}

/// Both locks of a run; `None` if a process works on it.
pub(super) fn lock(runs: &Path, key: &str) -> Result<Option<[RunLock; 2]>, ExecuteError> {
    let Some(own) = RunLock::acquire(runs, key)? else { return Ok(None) };
    Ok(RunLock::acquire(runs, &worker(key))?.map(|worker| [own, worker]))
}

/// Bytes on the disk of a run's folder.
pub fn run_bytes(runs: &Path, key: &str) -> u64 {
    bytes_of(RunFolder::new(runs, key).path())
}

/// Suffix of the name of a folder that is being removed.
pub(super) const GONE: &str = ".gone";

/// Removes runs: first their folders, which frees space on a full disk, then their rows. After an interruption each run is complete, or
/// removed from the database, or stored without a folder and then trained again from step 0; [`super::find_waste`] finds the rest of a
/// folder. `removed` is called with the number of runs removed since the last call. Returns the folders that stay because they contain
/// foreign files.
///
/// # Errors
/// If a process works on one of the runs, or a running command plans one: then none is removed, unless the process started in between. If
/// a folder cannot be removed, or is a symbolic link.
pub fn remove_runs(
    store: &mut Store,
    runs: &Path,
    records: &[RunRecord],
    removed: &mut dyn FnMut(usize),
) -> Result<Vec<PathBuf>, ExecuteError> {
    let (mut left, mut rest) = (Vec::new(), None);
    let busy: Vec<&str> = records.iter().filter(|run| is_busy(runs, &run.key)).map(|run| run.name.as_str()).collect();
    if !busy.is_empty() {
        return Err(at_work(&busy.join("; ")));
    }
    // Before anything is removed: a link is somebody's arrangement, and what it leads to can be elsewhere for a reason.
    let is_link = |folder: &PathBuf| folder.symlink_metadata().is_ok_and(|facts| facts.is_symlink());
    let folders = records.iter().map(|run| RunFolder::new(runs, &run.key).path().to_path_buf());
    let links: Vec<PathBuf> = folders.filter(is_link).collect();
    if !links.is_empty() {
        return Err(linked(&links));
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
            match remove_folder(folder.path()) {
                Ok(true) => {}
                Ok(false) => left.push(folder.path().into()),
                // It has another name, and the run has no folder any more: its rows go as well.
                Err(error) if folder.path().symlink_metadata().is_err() => rest = rest.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        store.make_writable()?;
        store.remove_runs(&keys)?;
        removed(keys.len());
    }
    match rest {
        None => Ok(left),
        Some(error) => Err(ExecuteError::Setting(format!(
            "{error}; the runs are removed, but not all of their files: `taper gc` removes the rest once that is possible"
        ))),
    }
}

/// Removes a run's folder if it exists; returns whether nothing of it is left. It is renamed before the first file is removed, so that an
/// incomplete folder is never mistaken for a complete one. Foreign files stay, in a folder with the original name.
fn remove_folder(folder: &Path) -> Result<bool, ExecuteError> {
    let failed = |error| ExecuteError::Io { path: folder.into(), error };
    let mut gone = folder.as_os_str().to_owned();
    gone.push(GONE);
    let gone = Path::new(&gone);
    if !owned_files::is_run(folder) || (gone.exists() && !owned_files::is_run(gone)) {
        return owned_files::remove_run(folder).map_err(failed);
    }
    let missing = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    let steps = [fs::remove_dir_all(gone), fs::rename(folder, gone), fs::remove_dir_all(gone)];
    match steps.into_iter().find_map(|step| step.err().filter(|e| !missing(e))) {
        Some(error) => Err(failed(error)),
        None => Ok(true),
    }
}

/// The lock of a command that plans an experiment: while it is held, no run of the plan is removed.
#[derive(Debug)]
pub struct Planning(#[expect(dead_code, reason = "held")] RunLock);

impl Planning {
    /// Takes the lock, which any number of commands can share.
    ///
    /// # Errors
    /// If runs of the experiment are being removed for longer than 5 s.
    pub fn begin(runs: &Path, experiment: &str) -> Result<Self, ExecuteError> {
        for _ in 0..PATIENCE.0 {
            if let Some(lock) = RunLock::share(runs, &plan(experiment))? {
                return Ok(Self(lock));
            }
            thread::sleep(PATIENCE.1);
        }
        Err(ExecuteError::Setting(format!(
            "another process is removing runs of `{experiment}`: try again when it has ended"
        )))
    }
}

impl Planning {
    /// Whether a command that planned the experiment is still running.
    pub fn is_running(runs: &Path, experiment: &str) -> bool {
        !is_free(runs, &plan(experiment))
    }
}

/// How often, and at which interval, the lock is tried during a removal.
const PATIENCE: (u32, Duration) = (50, Duration::from_millis(100));

/// Prefix of the names of such locks.
const PLAN: &str = "plan-";

/// Name of the lock of an experiment's plan: a digest, since the name of the experiment can be too long or invalid as a file name.
fn plan(experiment: &str) -> String {
    let digest = Sha256::digest(experiment);
    format!("{PLAN}{}", digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Takes the locks of all plans with one of the runs: an error if a command uses such a plan; none starts while they are held.
fn close_plans(store: &Store, runs: &Path, records: &[RunRecord]) -> Result<Vec<RunLock>, ExecuteError> {
    let removed: HashSet<&str> = records.iter().map(|run| run.key.as_str()).collect();
    let mut locks = Vec::new();
    for experiment in store.experiments()? {
        if experiment.runs.iter().any(|(key, _)| removed.contains(key.as_str())) {
            let planned = || {
                ExecuteError::Setting(format!(
                    "a taper process is using the runs of `{}`, including some to be removed: stop it first (Ctrl-C in \
                     its terminal)",
                    experiment.name
                ))
            };
            locks.push(RunLock::acquire(runs, &plan(&experiment.name))?.ok_or_else(planned)?);
        }
    }
    Ok(locks)
}

/// The error for folders that are symbolic links.
fn linked(links: &[PathBuf]) -> ExecuteError {
    let links = links.iter().map(|link| match fs::read_link(link) {
        Ok(to) => format!("{} is a symbolic link to {}", link.display(), to.display()),
        Err(_) => format!("{} is a symbolic link", link.display()),
    });
    ExecuteError::Setting(format!(
        "{}: nothing was removed; move each folder back in the place of its link, or remove both yourself, and run the same command again",
        links.collect::<Vec<_>>().join("; ")
    ))
}

fn at_work(names: &str) -> ExecuteError {
    ExecuteError::Setting(format!("still running: {names}; stop them first (Ctrl-C in their terminal)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_is_planned_as_long_as_a_command_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let is_running = |name| Planning::is_running(folder.path(), name);
        assert!(!is_running("a"), "no folder of locks");
        let (first, second) =
            (Planning::begin(folder.path(), "a").unwrap(), Planning::begin(folder.path(), "a").unwrap());
        assert!(is_running("a") && !is_running("b"));
        drop(first);
        assert!(is_running("a"), "the other command");
        drop(second);
        assert!(!is_running("a"));
    }
}
