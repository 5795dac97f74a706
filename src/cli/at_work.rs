//! The runs that this command trains at the moment. A second Ctrl-C stores that they were stopped on request before it ends the process:
//! nothing else would tell them from runs whose process was killed.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use taper::{
    event::Event,
    observe::{Listener, ObserveError, RunInfo},
    store::{RunState, Store, StoreError},
};

/// How long the end of the process waits for the database: whoever presses Ctrl-C twice does not want to wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stored with a run that was stopped at once.
const STOPPED: &str = "stopped at once on request";

/// Keys of the runs that have started and not ended.
#[derive(Clone, Default)]
pub struct AtWork(Arc<Mutex<BTreeSet<String>>>);

impl Listener for AtWork {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted { .. } => _ = keys.insert(run.key.clone()),
            Event::RunFinished(_) => _ = keys.remove(&run.key),
            _ => {}
        }
        Ok(())
    }
}

impl AtWork {
    /// Whether a run is being trained or evaluated.
    pub fn trains(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Marks them as interrupted in the store in `runs`, if it can be written soon.
    pub fn interrupt(&self, runs: &Path) {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let runs = runs.to_path_buf();
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            // If it fails, the next command finds runs without a process, and says that.
            let _ = mark(&runs, &keys);
            let _ = done.send(());
        });
        let _ = ended.recv_timeout(PATIENCE);
    }
}

fn mark(runs: &Path, keys: &BTreeSet<String>) -> Result<(), StoreError> {
    let mut store = Store::open_existing(runs)?;
    for key in keys {
        if store.run(key)?.state == RunState::Running {
            store.mark(key, RunState::Interrupted, None, Some(STOPPED))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use taper::event::Outcome;

    use super::*;

    #[test]
    fn a_run_trains_from_its_start_to_its_end() {
        let mut at_work = AtWork::default();
        assert!(!at_work.trains(), "rows are still read");
        let run = RunInfo { key: "k".into(), name: "lr=1".into(), log_steps: 1, position: (1, 1), windows: None };
        let rows = (8, 4, 4);
        let started = Event::RunStarted {
            total_steps: 4,
            steps_per_epoch: 2,
            resumed_from: None,
            rows,
            parameters: 9,
            train_labels: Vec::new(),
        };
        at_work.on(&run, &started).unwrap();
        assert!(at_work.trains());
        at_work.on(&run, &Event::RunFinished(Outcome::Completed)).unwrap();
        assert!(!at_work.trains());
    }
}
