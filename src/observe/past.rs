//! The stored events of a run: a table that starts later catches up with them.

use crate::{
    event::{Event, FailureKind, Outcome},
    store::{RunRecord, RunState, Store, StoreError},
};

/// The number of steps that are read: enough for the speed, and for the average loss, in which earlier steps have no weight left (0.95^500, far
/// below its last digit).
const STEPS: u32 = 500;

/// The events of a stored run: its start, last steps, evaluations, and its end if it has ended. Empty for a run that never
/// started.
///
/// # Errors
/// The database cannot be read.
pub fn past(store: &Store, run: &RunRecord) -> Result<Vec<Event>, StoreError> {
    if run.state == RunState::Pending {
        return Ok(Vec::new());
    }
    let size = run.size.as_ref();
    let mut events = vec![Event::RunStarted {
        total_steps: run.total_steps,
        steps_per_epoch: size.map_or(0, |size| size.steps_per_epoch),
        // Its speed is that of the steps that follow.
        resumed_from: Some(run.steps),
        rows: size.map_or((0, 0, 0), |size| (size.train_rows, size.dev_rows, size.test_rows)),
        parameters: size.map_or(0, |size| size.parameters),
        train_labels: run.train_labels.clone().unwrap_or_default(),
    }];
    events.extend(store.last_steps(&run.key, STEPS)?.into_iter().map(Event::StepCompleted));
    events.extend(store.evals(&run.key)?.into_iter().map(|e| {
        let (when, step, epoch, split, metrics, elapsed_s) = (e.when, e.step, e.epoch, e.split, e.metrics, e.elapsed_s);
        Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s }
    }));
    let message = || run.message.clone().unwrap_or_default();
    events.extend(
        match run.state {
            RunState::Pending | RunState::Running => None,
            RunState::Completed => Some(Outcome::Completed),
            RunState::Pruned => Some(Outcome::Pruned { reason: message(), at: run.pruned_at }),
            RunState::Waiting => Some(Outcome::Paused { step: run.steps }),
            RunState::Interrupted => Some(Outcome::Interrupted),
            RunState::Failed => {
                let kind = run.failure.unwrap_or(FailureKind::Error);
                Some(Outcome::Failed { kind, message: message() })
            }
        }
        .map(Event::RunFinished),
    );
    Ok(events)
}
