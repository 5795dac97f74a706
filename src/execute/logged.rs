//! What the database holds of a run, as far as its checkpoint builds on it.
//!
//! A checkpoint is of use only with its log: whoever resumed from one whose steps are not stored would end with a run that lacks
//! them for ever. They come apart where the database was removed, replaced by an older copy, or lost its write-ahead log.

use serde::{Deserialize, Serialize};

use super::{ExecuteError, Prepared};
use crate::{
    event::{Split, When},
    format::count,
    metrics::Score,
    store::{EvalRecord, RunRecord, Store},
    train::{TrainState, policy::Best},
};

/// What is stored of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Logged {
    /// Steps 1 to this one are stored.
    steps: u64,
    /// Its evaluations, with the score that chooses the best.
    evaluations: Vec<(When, u64, Split, Score)>,
}

impl Logged {
    /// What the database holds of a run.
    pub fn read(store: &Store, run: &Prepared) -> Result<Self, ExecuteError> {
        let metric = run.config.checkpoint.metric;
        let evaluation = |e: EvalRecord| (e.when, e.step, e.split, e.metrics.score(metric));
        Ok(Self {
            steps: store.unbroken_steps(&run.key)?,
            evaluations: store.evals(&run.key)?.into_iter().map(evaluation).collect(),
        })
    }

    /// Whether everything is stored that a state builds on; if not, what is missing. `measured` are the splits that have rows to
    /// measure by, dev before test. A state that does not say which run it is of has to match what is stored besides.
    pub fn covers(&self, measured: &[Split], state: &TrainState, names_its_run: bool) -> Result<(), String> {
        let (step, stored) = (state.step, self.steps);
        if stored < step {
            return Err(match stored {
                0 => format!("it is of step {step}, and the database does not hold the steps before it"),
                _ => {
                    format!(
                        "it is of step {step}, and of the steps before it the database holds those up to {stored} only"
                    )
                }
            });
        }
        for split in measured {
            self.evaluation(When::Before, 0, *split)?;
        }
        // On the way it is the first of them that is measured.
        let Some(chosen_by) = measured.first() else { return Ok(()) };
        // States of before hold the last one only.
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

    /// The score of an evaluation.
    fn evaluation(&self, when: When, step: u64, split: Split) -> Result<Score, String> {
        let found = self.evaluations.iter().find(|(w, at, of, _)| (*w, *at, *of) == (when, step, split));
        found.map(|(.., score)| *score).ok_or_else(|| {
            let moment = if when == When::Before { "before training".into() } else { format!("after step {step}") };
            format!("the database does not hold the evaluation {moment} that it builds on")
        })
    }
}

/// The splits of a run that have rows to measure by, dev before test.
pub(super) fn measured(run: &Prepared) -> Vec<Split> {
    let splits = [(Split::Dev, &run.splits.dev), (Split::Test, &run.splits.test)];
    splits.into_iter().filter(|(_, rows)| !rows.is_empty()).map(|(split, _)| split).collect()
}

/// What the database lacks of a run that it says is completed; none: nothing.
pub(super) fn missing(store: &Store, run: &RunRecord) -> Result<Option<String>, ExecuteError> {
    let stored = store.unbroken_steps(&run.key)?;
    let stops_early = run.config.train.early_stopping_patience > 0;
    let end = if stops_early { run.at_step } else { run.at_step.max(run.total_steps) };
    if stored < end {
        let holds = match stored {
            0 => "the database does not hold the first".into(),
            stored => format!("the database holds the first {} without a gap", count(stored)),
        };
        return Ok(Some(format!("of its {} {holds}", crate::format::counted(end, "step"))));
    }
    let Some(size) = run.size else { return Ok(None) };
    let evaluations = store.evals(&run.key)?;
    for (split, name, rows) in [(Split::Dev, "dev", size.dev_rows), (Split::Test, "test", size.test_rows)] {
        for (when, moment) in [(When::Before, "before training"), (When::After, "with the kept weights")] {
            if rows > 0 && !evaluations.iter().any(|e| e.when == when && e.split == split) {
                return Ok(Some(format!("the database does not hold its evaluation on {name} {moment}")));
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

    /// Ten steps, measured before, after 4 and after 8.
    fn logged() -> Logged {
        let before = [Split::Dev, Split::Test].map(|split| (When::Before, 0, split, score(0.5)));
        let during = [(4, 0.7), (8, 0.6)].map(|(step, accuracy)| (When::During, step, Split::Dev, score(accuracy)));
        Logged { steps: 10, evaluations: before.into_iter().chain(during).collect() }
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
    fn a_state_is_covered_by_all_steps_and_evaluations_before_it() {
        for step in 0..=10 {
            assert_eq!(logged().covers(&BOTH, &state(step), true), Ok(()), "step {step}");
        }
        let said = |logged: Logged, step| logged.covers(&BOTH, &state(step), true).unwrap_err();
        assert!(
            said(logged(), 11).contains("of step 11, and of the steps before it the database holds those up to 10")
        );
        assert!(said(Logged { steps: 0, ..logged() }, 3).contains("does not hold the steps before it"));
        for (lost, step, words) in
            [(0, 2, "before training"), (1, 2, "before training"), (2, 9, "after step 4"), (3, 9, "after step 8")]
        {
            let mut less = logged();
            less.evaluations.remove(lost);
            let text = said(less, step);
            assert!(text.contains("does not hold the evaluation") && text.contains(words), "{text}");
        }
        // Without rows nothing is measured.
        assert_eq!(Logged { steps: 3, evaluations: Vec::new() }.covers(&[], &state(3), true), Ok(()));
    }

    #[test]
    fn a_state_that_names_no_run_has_to_match_its_best_evaluation() {
        let old = |accuracy| {
            let state = state(9);
            let best = Best { score: Some(score(accuracy)), ..state.best };
            TrainState { evaluations: Vec::new(), best, ..state }
        };
        assert_eq!(logged().covers(&BOTH, &old(0.7), false), Ok(()));
        assert!(logged().covers(&BOTH, &old(0.65), false).unwrap_err().contains("not the one in the database"));
        let mut less = logged();
        less.evaluations.pop();
        assert!(less.covers(&BOTH, &old(0.7), false).unwrap_err().contains("after step 8"), "the last one is known");
    }
}
