//! The scores of trials on the dev split, from which a search proposes new trials.

use super::{ExecuteError, Prepared};
use crate::{
    event::{FailureKind, Split, When},
    metrics::Score,
    store::{RunState, Store},
};

/// The score of each trial whose runs have all ended: the mean of `checkpoint.metric` on the dev split. For a pruned run its last evaluation
/// counts; a diverged run has [`Score::WORST`]. A trial with a run that failed otherwise has no score yet: the next command trains it again.
pub fn trial_scores(store: &Store, runs: &[Prepared]) -> Result<Vec<Option<Score>>, ExecuteError> {
    let trials = runs.iter().map(|run| run.trial + 1).max().unwrap_or(0);
    let mut scores = vec![Some(Vec::new()); trials];
    for run in runs {
        if let Some(known) = &mut scores[run.trial] {
            match run_score(store, run)? {
                Some(score) => known.push(score),
                None => scores[run.trial] = None,
            }
        }
    }
    Ok(scores.into_iter().map(|scores| Score::mean(scores?)).collect())
}

/// The score of a run, if it has ended.
fn run_score(store: &Store, run: &Prepared) -> Result<Option<Score>, ExecuteError> {
    let Some(record) = store.known(&run.key)? else { return Ok(None) };
    match record.state {
        RunState::Failed if record.failure == Some(FailureKind::Diverged) => Ok(Some(Score::WORST)),
        RunState::Pending | RunState::Running | RunState::Waiting | RunState::Interrupted | RunState::Failed => {
            Ok(None)
        }
        RunState::Completed | RunState::Pruned => {
            let evals = store.evals(&run.key)?;
            let last = evals
                .iter()
                .filter(|e| e.split == Split::Dev && e.when != When::Before)
                .max_by_key(|e| (e.when, e.step));
            let score = last.map(|eval| eval.metrics.score(run.config.checkpoint.metric));
            Ok(Some(score.map_or(Score::WORST, Score::or_worst)))
        }
    }
}
