//! Brings what elements have reported into the database.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    shard::{self, Shard, ShardError, ShardHeader, ShardWriter, Timed},
    submission::SubmissionFolder,
};
use crate::{
    execute::{ExecuteError, protocol::Report, schedule::TakeOver},
    store::{Merged, Reported, ReportedRun, RunLock, Store, StoreError, is_locked},
};

/// Number of shards that are in memory at a time.
const AT_ONCE: usize = 16;

/// What was collected.
#[derive(Debug, Default)]
pub struct Collected {
    /// Keys of the runs whose results are now stored.
    pub stored: Vec<String>,
    /// Keys of the runs that were completed otherwise since they were submitted: their results are kept.
    pub not_needed: Vec<String>,
    /// Shards of runs that the database does not know.
    pub unknown: Vec<PathBuf>,
    /// Shards that cannot be used, with the reasons and what to do.
    pub damaged: Vec<(PathBuf, String)>,
    /// Shards of runs that another process trains or collects at the moment.
    pub busy: Vec<PathBuf>,
}

/// Stores the results of all runs of submissions that are done. What is collected stays collected: called again, it finds nothing.
///
/// A damaged shard is left as it is, and named in the result.
///
/// # Errors
/// Errors of the store, and if a folder cannot be read.
pub fn collect(store: &mut Store, runs: &Path) -> Result<Collected, ExecuteError> {
    let mut result = Collected::default();
    let found = find(runs)?;
    if found.is_empty() || store.is_read_only() {
        return Ok(result);
    }
    for some in found.chunks(AT_ONCE) {
        let read: Vec<Result<Shard, ShardError>> = some.par_iter().map(|(_, path)| shard::read(path)).collect();
        for ((number, path), shard) in some.iter().zip(read) {
            match shard {
                Ok(shard) => merge(store, (runs, *number), path, &shard, &mut result)?,
                // Another process has collected it meanwhile.
                Err(ShardError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                Err(e) => result.damaged.push((path.clone(), with_advice(&e))),
            }
        }
    }
    Ok(result)
}

/// The finished shards of all submissions, oldest first, with the number of their submission.
fn find(runs: &Path) -> Result<Vec<(u64, PathBuf)>, ExecuteError> {
    let mut found = Vec::new();
    for (number, folder) in SubmissionFolder::all(runs)? {
        let shards = folder.shards();
        let entries = match fs::read_dir(&shards) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| ExecuteError::Io { path: shards.clone(), error })?,
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| shard::key_of_done(path).is_some());
        paths.sort();
        found.extend(paths.into_iter().map(|path| (number, path)));
    }
    Ok(found)
}

fn merge(
    store: &mut Store,
    (runs, submission): (&Path, u64),
    path: &Path,
    shard: &Shard,
    result: &mut Collected,
) -> Result<(), ExecuteError> {
    let key = shard.header.key.as_str();
    if shard::key_of_done(path) != Some(key) {
        let what = format!("it is of the run {key}, not of the one in its name");
        result.damaged.push((path.into(), with_advice(&ShardError::Damaged { path: path.into(), what })));
        return Ok(());
    }
    let Some(_lock) = RunLock::acquire(runs, key)? else {
        result.busy.push(path.into());
        return Ok(());
    };
    // Another process may have collected it before the lock was taken.
    if !path.exists() {
        return Ok(());
    }
    match store_shard(store, submission, shard) {
        Ok(Merged::Stored) => result.stored.push(key.into()),
        Ok(Merged::NotNeeded) => result.not_needed.push(key.into()),
        Ok(Merged::Before) => {}
        Err(StoreError::NotRegistered { .. }) => {
            result.unknown.push(path.into());
            return Ok(());
        }
        Err(e) => return Err(e.into()),
    }
    Ok(shard::empty(path, key)?)
}

fn store_shard(store: &mut Store, submission: u64, shard: &Shard) -> Result<Merged, StoreError> {
    let reports: Vec<(f64, Reported)> = shard.reports.iter().filter_map(reported).collect();
    let ShardHeader { key, config, .. } = &shard.header;
    store.merge(&ReportedRun { submission, key, config, reports: &reports })
}

fn with_advice(error: &ShardError) -> String {
    error.advice().map_or(error.to_string(), |advice| format!("{error}; {advice}"))
}

/// How a command takes over runs of submissions.
pub(in crate::execute) const TAKE_OVER: TakeOver = TakeOver { take: take_over, is_trained };

/// Whether an element trains a run: one whose command was killed takes the run's lock within a second, and its worker has a lock of its own.
fn is_trained(runs: &Path, key: &str) -> bool {
    is_locked(runs, &format!("{key}.worker"))
        && SubmissionFolder::all(runs).is_ok_and(|all| all.iter().any(|(_, folder)| folder.has_shard(key)))
}

/// Takes a run over from the jobs of all submissions, because a command begins to train it: stores what they have measured, so that it
/// continues from their checkpoint, and leaves them nothing to do for it. Returns the submission of the last job that had begun it. The
/// caller holds the run's lock.
///
/// # Errors
/// Errors of the store and of files.
fn take_over(store: &mut Store, runs: &Path, key: &str) -> Result<Option<u64>, ExecuteError> {
    let all = SubmissionFolder::all(runs)?;
    if all.is_empty() {
        return Ok(None);
    }
    let mut taken = None;
    for (number, folder) in &all {
        let (done, part) = (shard::done(&folder.shards(), key), shard::part(&folder.shards(), key));
        let found = if done.exists() {
            // A damaged one stays for `collect`, which says so.
            shard::read(&done).ok().map(|shard| (done, shard))
        } else if part.exists() {
            let shard = shard::read_unfinished(&part).ok().flatten();
            shard.map(|shard| (part, shard))
        } else {
            None
        };
        if let Some((path, shard)) = found.filter(|(_, shard)| shard.header.key == key) {
            if store_shard(store, *number, &shard)? == Merged::Stored {
                taken = Some(*number);
            }
            shard::empty(&path, key)?;
        }
    }
    let submitted = store.retire_submitted(key)?;
    for (number, folder) in all {
        let shards = folder.shards();
        let part = shard::part(&shards, key);
        // One that nothing can be taken from.
        let is_left = part.exists();
        if is_left {
            match shard::read_unfinished(&part) {
                Ok(None) => fs::remove_file(&part).map_err(|error| ExecuteError::Io { path: part.clone(), error })?,
                _ => drop(shard::set_aside(&part)?),
            }
        }
        if (is_left || submitted.contains(&number)) && shards.exists() && !shard::done(&shards, key).exists() {
            let path = shard::collected(&shards, key);
            fs::write(&path, "").map_err(|error| ExecuteError::Io { path, error })?;
        }
    }
    Ok(taken)
}

/// What the database stores of a report.
fn reported(timed: &Timed) -> Option<(f64, Reported<'_>)> {
    match &timed.report {
        Report::Started { environment, resumed_from } => {
            Some((timed.at, Reported::Started(environment, *resumed_from)))
        }
        Report::Event(event) => Some((timed.at, Reported::Event(event))),
        _ => None,
    }
}

/// Writes a finished shard of a run of a submission, as its element would have: the inverse of [`collect`].
///
/// # Errors
/// If it cannot be written.
pub fn write_shard(runs: &Path, name: &str, run: &ReportedRun<'_>) -> Result<PathBuf, ShardError> {
    let header = ShardHeader { key: run.key.into(), name: name.into(), config: run.config.clone() };
    let (mut writer, _) = ShardWriter::open(&SubmissionFolder::new(runs, run.submission).shards(), &header)?;
    let mut end = 0.0;
    for (at, reported) in run.reports {
        let report = match *reported {
            Reported::Started(environment, resumed_from) => {
                Report::Started { environment: Box::new(environment.clone()), resumed_from }
            }
            Reported::Event(event) => Report::Event(event.clone()),
        };
        writer.append(&Timed { at: *at, report }, false)?;
        end = *at;
    }
    writer.append(&Timed { at: end, report: Report::Finished }, true)?;
    writer.finish()
}
