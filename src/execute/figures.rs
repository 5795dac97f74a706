//! What the trials of a sweep have come to, by their dev split: what a search proposes from.

use super::{ExecuteError, Prepared};
use crate::{
    event::{FailureKind, Split, When},
    store::{RunState, Store},
    train::policy::figure,
};

/// The figure of each trial whose runs have all ended: the mean of `checkpoint.metric` on the dev split, turned so that more
/// is better. Of a run that was pruned its last evaluation counts; one that diverged makes it -inf. One that failed otherwise
/// is made again by the next command: what it comes to is not known yet.
pub fn trial_figures(store: &Store, runs: &[Prepared]) -> Result<Vec<Option<f64>>, ExecuteError> {
    let trials = runs.iter().map(|run| run.trial + 1).max().unwrap_or(0);
    let mut sums = vec![Some((0.0, 0)); trials];
    for run in runs {
        if let Some((sum, count)) = sums[run.trial] {
            sums[run.trial] = run_figure(store, run)?.map(|figure| (sum + figure, count + 1));
        }
    }
    Ok(sums
        .into_iter()
        .map(|sum| sum.filter(|(_, count)| *count > 0).map(|(sum, count)| sum / f64::from(count)))
        .collect())
}

/// The figure of a run that has ended; none of one that has not.
fn run_figure(store: &Store, run: &Prepared) -> Result<Option<f64>, ExecuteError> {
    let Some(record) = store.known(&run.key)? else { return Ok(None) };
    match record.state {
        RunState::Failed if record.failure == Some(FailureKind::Diverged) => Ok(Some(f64::NEG_INFINITY)),
        RunState::Pending | RunState::Running | RunState::Interrupted | RunState::Failed => Ok(None),
        RunState::Completed | RunState::Pruned => {
            let evals = store.evals(&run.key)?;
            let last = evals
                .iter()
                .filter(|e| e.split == Split::Dev && e.when != When::Before)
                .max_by_key(|e| (e.when, e.step));
            let figure = last.map(|eval| figure(run.config.checkpoint.metric, &eval.metrics));
            Ok(Some(figure.filter(|figure| !figure.is_nan()).unwrap_or(f64::NEG_INFINITY)))
        }
    }
}
