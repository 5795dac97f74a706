//! An element's hold on the run that it trains.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::shard;
use crate::{
    execute::{ExecuteError, protocol::WorkerJob},
    store::{RunLock, is_locked},
};

/// How often, and at which interval, the lock of a run is tried: an element that was just killed may still hold it.
const PATIENCE: (u32, Duration) = (40, Duration::from_millis(250));
/// Interval at which it is checked whether the run is still this element's.
const LOOK: Duration = Duration::from_secs(1);

/// The run's lock. That of an attached element is held by its command; when the command is gone, the element takes it, so that the next command
/// waits for the run. If that command was faster, the run is no longer this element's. A second lock is among elements: Slurm may have accepted a job
/// although it did not say so, and the one that is submitted after it must not write into the same shard.
pub(super) struct Hold {
    runs: PathBuf,
    key: String,
    shards: PathBuf,
    lock: Option<RunLock>,
    among_elements: Option<RunLock>,
    looked: Instant,
}

impl Hold {
    /// Takes hold of a run; `None` if another process trains it.
    ///
    /// # Errors
    /// Locks cannot be taken.
    pub fn take(job: &WorkerJob, shards: &Path, attached: bool) -> Result<Option<Self>, ExecuteError> {
        let (runs, key) = (job.runs.clone(), job.key.clone());
        let shards = shards.into();
        let mut hold = Self { runs, key, shards, lock: None, among_elements: None, looked: Instant::now() };
        for _ in 0..PATIENCE.0 {
            if hold.among_elements.is_none() {
                hold.among_elements = RunLock::acquire(&hold.runs, &among_elements(&hold.key))?;
            }
            if hold.among_elements.is_some() {
                hold.lock = RunLock::acquire(&hold.runs, &hold.key)?;
                if hold.lock.is_some() || attached {
                    return Ok(Some(hold));
                }
            }
            thread::sleep(PATIENCE.1);
        }
        Ok(None)
    }

    /// Whether the run, whose shard is begun, is still this element's. Called as often as you like: it looks once a second.
    ///
    /// # Errors
    /// Locks cannot be taken.
    pub fn is_kept(&mut self) -> Result<bool, ExecuteError> {
        if self.lock.is_some() || self.looked.elapsed() < LOOK {
            return Ok(true);
        }
        self.looked = Instant::now();
        if !is_locked(&self.runs, &self.key) {
            self.lock = RunLock::acquire(&self.runs, &self.key)?;
        }
        // Who takes a run over closes its shard first, and holds the lock meanwhile.
        let is_closed = shard::collected(&self.shards, &self.key).exists();
        Ok(!is_closed && shard::part(&self.shards, &self.key).exists())
    }
}

/// The name of the lock among elements of a run.
fn among_elements(key: &str) -> String {
    format!("element-{key}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{execute::protocol::Work, store::testing::config};

    /// The lock of the run is its command's, whose elements exclude each other all the same.
    #[test]
    fn two_elements_of_an_attached_command_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let job = WorkerJob {
            key: "k".into(),
            name: "n".into(),
            config: config(),
            located: Vec::new(),
            runs: dir.path().into(),
            work: Work::Probes { last_step: 1 },
        };
        let _command = RunLock::acquire(dir.path(), &job.key).unwrap().unwrap();
        let first = Hold::take(&job, dir.path(), true).unwrap().unwrap();
        assert!(RunLock::acquire(dir.path(), &among_elements(&job.key)).unwrap().is_none());
        drop(first);
        assert!(Hold::take(&job, dir.path(), true).unwrap().is_some());
    }
}
