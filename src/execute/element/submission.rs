//! The folder of a submission, `runs/slurm/<number>`, and the jobs of its elements.

use std::{
    collections::HashSet,
    fs, io,
    path::{self, Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::shard;
use crate::{
    execute::{
        ExecuteError, Prepared, Skipped,
        protocol::{Work, WorkerJob, encode, receive},
        schedule::{Records, SchedulerOptions, Todo},
    },
    observe::Listener,
    plan::{Budget, Prune},
    store::{Store, SubmissionRecord, is_locked, unix_time},
};

/// The folder of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionFolder(PathBuf);

/// The folder of all submissions, in the folder of all runs.
const ALL: &str = "slurm";

impl SubmissionFolder {
    /// The folder of the submission with that number.
    pub fn new(runs: &Path, number: u64) -> Self {
        Self(runs.join(ALL).join(number.to_string()))
    }

    /// The folder at this path, as a job names it.
    pub fn at(path: &Path) -> Self {
        Self(path.into())
    }

    /// The folders of all submissions with their numbers, oldest first; none if nothing was submitted.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn all(runs: &Path) -> Result<Vec<(u64, Self)>, ExecuteError> {
        let folder = runs.join(ALL);
        let entries = match fs::read_dir(&folder) {
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            entries => entries.map_err(|error| ExecuteError::Io { path: folder, error })?,
        };
        let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
        let mut numbers: Vec<u64> = entries.filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|number| (number, Self::new(runs, number))).collect())
    }

    /// Creates the folder of a new submission, with the next free number.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(runs: &Path, at_least: u64) -> Result<(u64, Self), ExecuteError> {
        let last = Self::all(runs)?.last().map_or(0, |(number, _)| *number);
        let mut number = (last + 1).max(at_least);
        loop {
            let folder = Self::new(runs, number);
            let failed = |error| ExecuteError::Io { path: folder.0.clone(), error };
            fs::create_dir_all(runs.join(ALL)).map_err(failed)?;
            match fs::create_dir(&folder.0) {
                // Another command was faster.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(failed(e)),
                Ok(()) => {
                    for inner in [folder.jobs(), folder.logs(), folder.shards(), folder.stops()] {
                        fs::create_dir(&inner).map_err(|error| ExecuteError::Io { path: inner.clone(), error })?;
                    }
                    return Ok((number, folder));
                }
            }
        }
    }

    /// The folder that the next submission will have, if no other command is faster.
    ///
    /// # Errors
    /// If the folder of all submissions cannot be read.
    pub fn next(runs: &Path) -> Result<Self, ExecuteError> {
        let last = Self::all(runs)?.last().map_or(0, |(number, _)| *number);
        Ok(Self::new(runs, last + 1))
    }

    /// Removes the folder of a submission that the cluster refused, unless it has taken over the shard of an earlier one.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove_unless_used(&self) -> Result<(), ExecuteError> {
        let failed = |error| ExecuteError::Io { path: self.0.clone(), error };
        match fs::read_dir(self.shards()).map_err(failed)?.next() {
            None => fs::remove_dir_all(&self.0).map_err(failed),
            Some(_) => Ok(()),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Stores the job of a command that submits the runs of the submission's experiment, and the Unix time at which the cluster accepted it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_controller(&self, job: u64, at: f64) -> Result<(), ExecuteError> {
        let path = self.controller_file();
        fs::write(&path, format!("{job} {at}\n")).map_err(|error| ExecuteError::Io { path, error })
    }

    /// That job and time; `None` if the submission has none, or it is known to have ended.
    pub fn controller(&self) -> Option<(u64, f64)> {
        let text = fs::read_to_string(self.controller_file()).ok()?;
        let (job, at) = text.trim_end().split_once(' ')?;
        Some((job.parse().ok()?, at.parse().ok()?))
    }

    /// Stores that this job has ended, as far as the folder can be written: nobody asks about it again.
    pub fn forget_controller(&self) {
        let _ = fs::rename(self.controller_file(), self.0.join("controller.ended"));
    }

    fn controller_file(&self) -> PathBuf {
        self.0.join("controller")
    }

    /// The folder of the output of the elements: the cluster writes `<element>.out` there.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The output of an element.
    pub fn log(&self, element: u64) -> PathBuf {
        self.logs().join(format!("{element}.out"))
    }

    /// The folder of the shards.
    pub fn shards(&self) -> PathBuf {
        self.0.join("shards")
    }

    fn jobs(&self) -> PathBuf {
        self.0.join("jobs")
    }

    fn stops(&self) -> PathBuf {
        self.0.join("stops")
    }

    fn answers(&self) -> PathBuf {
        self.0.join("answers")
    }

    /// Answers an element whose run waits at the rung of this step: whether it continues.
    ///
    /// # Errors
    /// If the answer cannot be written.
    pub(in crate::execute) fn answer(&self, key: &str, step: u64, continues: bool) -> Result<(), ExecuteError> {
        let path = self.answers().join(key);
        let new = path.with_extension("new");
        // An answer that is half written is not seen.
        fs::create_dir_all(self.answers())
            .and_then(|()| fs::write(&new, format!("{step} {continues}\n")))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| ExecuteError::Io { path, error })
    }

    /// Takes the answer to a run that waits at the rung of this step, if it is there.
    pub(super) fn take_answer(&self, key: &str, step: u64) -> Option<bool> {
        let path = self.answers().join(key);
        let text = fs::read_to_string(&path).ok()?;
        let (of, continues) = text.trim_end().split_once(' ')?;
        // Otherwise it is a late answer at an earlier rung.
        let answer = (of.parse() == Ok(step)).then(|| continues == "true");
        if answer.is_some() {
            let _ = fs::remove_file(&path);
        }
        answer
    }

    /// Notes that an element has nothing left to do for a run, whatever it has written.
    ///
    /// # Errors
    /// If that cannot be written.
    pub(in crate::execute) fn close(&self, key: &str) -> Result<(), ExecuteError> {
        let shards = self.shards();
        for path in [shard::part(&shards, key), shard::done(&shards, key)] {
            if path.exists() {
                return Ok(shard::empty(&path, key)?);
            }
        }
        let path = shard::collected(&shards, key);
        fs::write(&path, "").map_err(|error| ExecuteError::Io { path, error })
    }

    /// Orders an element to end after its checkpoint, and not to be requeued, at the next signal.
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn order_to_stop(&self, element: u64) -> Result<(), ExecuteError> {
        let path = self.stops().join(element.to_string());
        fs::write(&path, "").map_err(|error| ExecuteError::Io { path, error })
    }

    /// Withdraws the order to stop of an element whose job was not cancelled: otherwise it would not be requeued at its next time limit.
    ///
    /// # Errors
    /// If the order cannot be removed.
    pub fn withdraw_stop(&self, element: u64) -> Result<(), ExecuteError> {
        let path = self.stops().join(element.to_string());
        fs::remove_file(&path).map_err(|error| ExecuteError::Io { path, error })
    }

    /// Whether an element was ordered to stop.
    pub fn is_to_stop(&self, element: u64) -> bool {
        self.stops().join(element.to_string()).exists()
    }

    /// Writes the jobs of an element.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(in crate::execute) fn write_jobs(&self, element: u64, jobs: &ElementJobs) -> Result<(), ExecuteError> {
        let path = self.jobs().join(element.to_string());
        encode(jobs).and_then(|bytes| fs::write(&path, bytes)).map_err(|error| ExecuteError::Io { path, error })
    }

    /// Removes the jobs of an element: its job finds nothing to do.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub(in crate::execute) fn remove_jobs(&self, element: u64) -> Result<(), ExecuteError> {
        let path = self.jobs().join(element.to_string());
        fs::remove_file(&path).map_err(|error| ExecuteError::Io { path, error })
    }

    /// Whether an element has begun to write the shard of a run.
    pub(in crate::execute) fn has_shard(&self, key: &str) -> bool {
        let shards = self.shards();
        shard::part(&shards, key).exists() || shard::done(&shards, key).exists()
    }

    /// Reads the jobs of an element.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn read_jobs(&self, element: u64) -> Result<ElementJobs, ExecuteError> {
        let path = self.jobs().join(element.to_string());
        let failed = |error| ExecuteError::Io { path: path.clone(), error };
        let bytes = fs::read(&path).map_err(failed)?;
        receive(&mut &bytes[..]).map_err(|_| {
            failed(io::Error::other("it is not the job of an element, or was written by another version of taper"))
        })
    }
}

/// What an element does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::execute) struct ElementJobs {
    /// How often a run is tried again after a crash of its worker.
    pub retries: u32,
    /// How often the element is requeued after a checkpoint.
    pub requeues: u32,
    /// Whether a command reads what it reports while it works: the command holds the locks of its runs, and decides at rungs.
    pub attached: bool,
    /// Its runs, one after the other.
    pub jobs: Vec<WorkerJob>,
}

/// How runs are submitted.
pub struct SubmitOptions<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// Keys of runs that elements of earlier submissions have yet to train: they are left out.
    pub underway: &'a HashSet<String>,
    /// Whether runs that diverged or were pruned are trained again.
    pub retry: bool,
    /// How often a run is tried again after a crash of its worker.
    pub retries: u32,
    /// How often an element is requeued after a checkpoint.
    pub requeues: u32,
    /// The number of runs of an element, at least 1.
    pub runs_per_element: usize,
    /// The command that submits.
    pub command: &'a str,
}

/// A submission whose jobs are written, but which the cluster does not know yet.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Its number.
    pub number: u64,
    /// Its folder.
    pub folder: SubmissionFolder,
    /// The keys of the runs of each element.
    pub elements: Vec<Vec<String>>,
}

/// Writes the jobs of the runs that are not done into the folder of a new submission, and stores it. Returns `None` if there are none, and
/// the runs that are left out, with the reasons. The runs must be registered. `listener` must store events.
///
/// # Errors
/// Errors of the store and of files.
pub fn write_jobs(
    store: &mut Store,
    runs: &[Prepared],
    options: &SubmitOptions,
    listener: &mut dyn Listener,
) -> Result<(Option<Submitted>, Vec<Skipped>), ExecuteError> {
    let (jobs, left_out) = jobs(store, runs, options, listener)?;
    let Some(first) = jobs.first() else { return Ok((None, left_out)) };
    let experiment = first.config.name.clone();
    // A database that was restored from a copy may know fewer submissions than there are folders, and one whose folders were removed more.
    let known = store.submissions()?.last().map_or(0, |last| last.number);
    let (number, folder) = SubmissionFolder::create(options.runs, known + 1)?;
    let elements: Vec<Vec<WorkerJob>> = jobs.chunks(options.runs_per_element.max(1)).map(<[_]>::to_vec).collect();
    let keys: Vec<Vec<String>> = elements.iter().map(|jobs| jobs.iter().map(|job| job.key.clone()).collect()).collect();
    let rows: Vec<(u64, String)> =
        (0..).zip(&keys).flat_map(|(element, keys)| keys.iter().map(move |key| (element, key.clone()))).collect();
    let command = options.command.into();
    store.add_submission(&SubmissionRecord { number, experiment, command, created_at: unix_time() }, &rows)?;
    for (element, jobs) in (0..).zip(elements) {
        // What an earlier job left of a training is not part of the scores of new probes.
        for job in jobs.iter().filter(|job| matches!(job.work, Work::Train { .. })) {
            adopt(options.runs, number, &folder, &job.key)?;
        }
        let SubmitOptions { retries, requeues, .. } = *options;
        folder.write_jobs(element, &ElementJobs { retries, requeues, attached: false, jobs })?;
    }
    Ok((Some(Submitted { number, folder, elements: keys }), left_out))
}

/// The jobs of the runs that are not done, and the runs that are left out.
fn jobs(
    store: &mut Store,
    runs: &[Prepared],
    options: &SubmitOptions,
    listener: &mut dyn Listener,
) -> Result<(Vec<WorkerJob>, Vec<Skipped>), ExecuteError> {
    let &SubmitOptions { runs: folder, underway, retry, retries, .. } = options;
    let schedule = SchedulerOptions {
        runs: folder,
        stop: &|| false,
        say: &|_| {},
        retry,
        retries,
        prune: Prune::None,
        budget: Budget::default(),
    };
    // A job may begin in another folder.
    let all_runs = path::absolute(folder).map_err(|error| ExecuteError::Io { path: folder.into(), error })?;
    let mut records = Records::new(store, runs, &schedule, listener);
    let (mut jobs, mut left_out): (Vec<WorkerJob>, Vec<Skipped>) = (Vec::new(), Vec::new());
    for (position, run) in runs.iter().enumerate() {
        let mut leave_out = |why: &str| {
            let (key, name) = (run.key.clone(), run.name.clone());
            left_out.push(Skipped { key, name, why: why.into(), because: None });
        };
        if underway.contains(&run.key) {
            leave_out("submitted before and not done yet");
            continue;
        }
        if jobs.iter().any(|job| job.key == run.key) {
            continue;
        }
        let Some(_lock) = records.lock(position)? else {
            leave_out("another taper process is training it");
            continue;
        };
        let record = records.read(position)?;
        records.set_reported(position, &record);
        let work = match records.todo(position, &record)? {
            Todo::Train(stored) => {
                let micro_batch_tokens = record.environment.as_ref().and_then(|e| e.micro_batch_tokens);
                Work::Train { rungs: Vec::new(), micro_batch_tokens, stored }
            }
            Todo::Probes { last_step } => Work::Probes { last_step },
            Todo::Nothing(end) => {
                leave_out(end.why_left_out());
                continue;
            }
        };
        jobs.push(WorkerJob { runs: all_runs.clone(), ..records.job(position, work) });
    }
    Ok((jobs, left_out))
}

/// Takes over the unfinished shard of a run from an earlier submission, whose element is gone: with it the run continues from its checkpoint.
pub(in crate::execute) fn adopt(
    runs: &Path,
    number: u64,
    folder: &SubmissionFolder,
    key: &str,
) -> Result<(), ExecuteError> {
    for (_, old) in SubmissionFolder::all(runs)?.into_iter().rev().filter(|(earlier, _)| *earlier < number) {
        let from = shard::part(&old.shards(), key);
        let busy = is_locked(runs, key) || is_locked(runs, &format!("{key}.worker"));
        if from.exists() && !busy {
            let to = shard::part(&folder.shards(), key);
            fs::rename(&from, &to).map_err(|error| ExecuteError::Io { path: from, error })?;
            return Ok(());
        }
    }
    Ok(())
}
