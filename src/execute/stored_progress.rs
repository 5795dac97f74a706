//! The stored steps and evaluations of a run, which have to match its checkpoint.
//!
//! A run that resumed from a checkpoint whose steps are not stored would lack these steps for ever. That can happen if the database was
//! removed, replaced by an older copy, or lost its write-ahead log.

use serde::{Deserialize, Serialize};

use super::{ExecuteError, Prepared};
use crate::{
    event::{Event, Split, When},
    format::count,
    metrics::{Metric, Score},
    store::{EvalRecord, RunRecord, Store},
    train::{TrainState, policy::Best},
};

/// The steps and evaluations of a run in the database.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct StoredProgress {
    /// All steps from 1 to this one are stored.
    steps: u64,
    /// Its evaluations, with the score of `checkpoint.metric`.
    evaluations: Vec<(When, u64, Split, Score)>,
}

impl StoredProgress {
    /// Reads the progress of a run from the database.
    pub fn read(store: &Store, run: &Prepared) -> Result<Self, ExecuteError> {
        let metric = run.config.checkpoint.metric;
        let evaluation = |e: EvalRecord| (e.when, e.step, e.split, e.metrics.score(metric));
        Ok(Self {
            steps: store.unbroken_steps(&run.key)?,
            evaluations: store.evals(&run.key)?.into_iter().map(evaluation).collect(),
        })
    }

    /// Adds a measurement that is stored from now on, as the database would: it replaces an earlier one of the same step. `metric` is the
    /// run's `checkpoint.metric`.
    pub fn add(&mut self, event: &Event, metric: Metric) {
        match event {
            Event::StepCompleted(step) if step.step == self.steps + 1 => self.steps += 1,
            Event::EvalCompleted { when, step, split, metrics, .. } => {
                self.evaluations.retain(|(w, at, of, _)| (*w, *at, *of) != (*when, *step, *split));
                self.evaluations.push((*when, *step, *split, metrics.score(metric)));
            }
            _ => {}
        }
    }

    /// Checks that all measurements before a state are stored; the error is what is missing. `measured` are the splits with rows to evaluate,
    /// dev before test. The best score of a state that does not name its run must also be near the stored one.
    pub fn covers(&self, measured: &[Split], state: &TrainState, names_its_run: bool) -> Result<(), String> {
        let (step, stored) = (state.step, self.steps);
        if stored < step {
            return Err(match stored {
                0 => format!("it is from step {step}, but the database does not contain the steps before it"),
                _ => {
                    format!("it is from step {step}, but the database contains only the steps up to {stored}")
                }
            });
        }
        for split in measured {
            self.evaluation(When::Before, 0, *split)?;
        }
        // During training only the first of them is evaluated.
        let Some(chosen_by) = measured.first() else { return Ok(()) };
        // States of version 0.1.0 name the last evaluation only.
        let last = [state.evaluated_at];
        let during = if state.evaluations.is_empty() { &last[..] } else { &state.evaluations };
        for step in during.iter().filter(|step| **step > 0) {
            self.evaluation(When::During, *step, *chosen_by)?;
        }
        let Best { score: Some(score), step, .. } = state.best else { return Ok(()) };
        let stored = self.evaluation(When::During, step, Split::Dev)?;
        if !names_its_run && !stored.is_near(score) {
            return Err(format!("its best evaluation, after step {step}, is not the one in the database"));
        }
        Ok(())
    }

    /// The score of a stored evaluation, or an error if it is missing.
    fn evaluation(&self, when: When, step: u64, split: Split) -> Result<Score, String> {
        let found = self.evaluations.iter().find(|(w, at, of, _)| (*w, *at, *of) == (when, step, split));
        found.map(|(.., score)| *score).ok_or_else(|| {
            let moment = if when == When::Before { "before training".into() } else { format!("after step {step}") };
            format!("the database does not contain the evaluation {moment} that it is based on")
        })
    }
}

/// The splits of a run that have rows to evaluate, dev before test.
pub(super) fn evaluated_splits(run: &Prepared) -> Vec<Split> {
    let splits = [(Split::Dev, &run.splits.dev), (Split::Test, &run.splits.test)];
    splits.into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(split, _)| split).collect()
}

/// Which measurements of a completed run the database lacks; `None` if it is complete.
pub(super) fn missing_measurements(store: &Store, run: &RunRecord) -> Result<Option<String>, ExecuteError> {
    let stored = store.unbroken_steps(&run.key)?;
    let stops_early = run.config.train.early_stopping_patience > 0;
    let end = if stops_early { run.at_step } else { run.at_step.max(run.total_steps) };
    if stored < end {
        let holds = match stored {
            0 => "the database lacks the first".into(),
            stored => format!("the database contains only the first {} without a gap", count(stored)),
        };
        return Ok(Some(format!("of its {} {holds}", crate::format::counted(end, "step"))));
    }
    let Some(size) = run.size else { return Ok(None) };
    let evaluations = store.evals(&run.key)?;
    for (split, name, rows) in [(Split::Dev, "dev", size.dev_rows), (Split::Test, "test", size.test_rows)] {
        for (when, moment) in [(When::Before, "before training"), (When::After, "with the kept weights")] {
            if rows > 0 && !evaluations.iter().any(|e| e.when == when && e.split == split) {
                return Ok(Some(format!("the database does not contain its evaluation on {name} {moment}")));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    fn score(accuracy: f64) -> Score {
        Metric::Accuracy.score(accuracy)
    }

    /// Ten steps, evaluated before training and after steps 4 and 8.
    fn progress() -> StoredProgress {
        let before = [Split::Dev, Split::Test].map(|split| (When::Before, 0, split, score(0.5)));
        let during = [(4, 0.7), (8, 0.6)].map(|(step, accuracy)| (When::During, step, Split::Dev, score(accuracy)));
        StoredProgress { steps: 10, evaluations: before.into_iter().chain(during).collect() }
    }

    fn state(step: u64) -> TrainState {
        let evaluations: Vec<u64> = [4, 8].into_iter().filter(|at| *at <= step).collect();
        let best = match step {
            0..4 => Best::default(),
            _ => Best { score: Some(score(0.7)), step: 4, ..Best::default() },
        };
        TrainState {
            step,
            evaluated_at: evaluations.last().copied().unwrap_or(0),
            evaluations,
            best,
            ..TrainState::default()
        }
    }

    const BOTH: [Split; 2] = [Split::Dev, Split::Test];

    #[test]
    fn a_state_needs_all_steps_and_evaluations_before_it() {
        for step in 0..=10 {
            assert_eq!(progress().covers(&BOTH, &state(step), true), Ok(()), "step {step}");
        }
        let error = |progress: StoredProgress, step| progress.covers(&BOTH, &state(step), true).unwrap_err();
        assert!(error(progress(), 11).contains("from step 11, but the database contains only the steps up to 10"));
        assert!(error(StoredProgress { steps: 0, ..progress() }, 3).contains("does not contain the steps before it"));
        for (lost, step, words) in
            [(0, 2, "before training"), (1, 2, "before training"), (2, 9, "after step 4"), (3, 9, "after step 8")]
        {
            let mut less = progress();
            less.evaluations.remove(lost);
            let text = error(less, step);
            assert!(text.contains("does not contain the evaluation") && text.contains(words), "{text}");
        }
        // Without rows there are no evaluations.
        assert_eq!(StoredProgress { steps: 3, evaluations: Vec::new() }.covers(&[], &state(3), true), Ok(()));
    }

    #[test]
    fn the_best_score_of_a_state_that_names_no_run_must_be_near_the_stored_one() {
        let old = |accuracy| {
            let state = state(9);
            let best = Best { score: Some(score(accuracy)), ..state.best };
            TrainState { evaluations: Vec::new(), best, ..state }
        };
        assert_eq!(progress().covers(&BOTH, &old(0.7), false), Ok(()));
        assert!(progress().covers(&BOTH, &old(0.65), false).unwrap_err().contains("not the one in the database"));
        let mut less = progress();
        less.evaluations.pop();
        assert!(
            less.covers(&BOTH, &old(0.7), false).unwrap_err().contains("after step 8"),
            "the last evaluation is named"
        );
    }
}
