//! Completed runs that were trained with other settings than the spec now has, where these are no part of what a run is.

use super::{ExperimentError, last_spec::unchanged_spec};
use crate::{
    execute::{self, Prepared},
    format::{and, by_number, count, counted, short},
    store::{ExperimentRecord, RunRecord, RunState, Store},
    warning::{Kind, Warning},
};

/// The most runs that are named.
const NAMED: usize = 3;

/// A warning for each pair of values of `train.eval_steps`: completed runs that are kept were evaluated otherwise than the spec says.
/// `prunes`: whether trials are pruned at evaluations.
pub(super) fn evaluated_otherwise(
    store: &Store,
    runs: &[Prepared],
    prunes: bool,
) -> Result<Vec<Warning>, ExperimentError> {
    let mut ways: Vec<((u64, u64), Vec<&str>)> = Vec::new();
    for run in runs {
        let Some(record) = store.known(&run.key)?.filter(|record| record.state == RunState::Completed) else {
            continue;
        };
        let values = (record.config.train.eval_steps, run.config.train.eval_steps);
        // One that has lost its files is trained again, as the spec says.
        let kept =
            || execute::lost(store, store.folder(), &record, run.config.checkpoint.keep).map(|lost| lost.is_none());
        if values.0 == values.1 || !kept()? {
            continue;
        }
        match ways.iter_mut().find(|(known, _)| *known == values) {
            Some((_, keys)) if keys.contains(&run.key.as_str()) => {}
            Some((_, keys)) => keys.push(&run.key),
            None => ways.push((values, vec![&run.key])),
        }
    }
    Ok(ways
        .into_iter()
        .map(|((then, now), keys)| Warning::new(Kind::Training, message(then, now, &keys, prunes)))
        .collect())
}

/// The warning about one run of an experiment's last plan, if its spec file still says what it said then. Where a sweep varies
/// `train.eval_steps`, there is none.
pub fn evaluated_otherwise_than(experiment: &ExperimentRecord, run: &RunRecord) -> Option<Warning> {
    let spec = unchanged_spec(experiment).filter(|_| run.state == RunState::Completed)?;
    let sweep = &spec.spec().sweep;
    let (then, now) = (run.config.train.eval_steps, spec.spec().train.eval_steps);
    let is_swept =
        sweep.axes.contains_key("train.eval_steps") || sweep.zip.iter().any(|zip| zip.contains_key("train.eval_steps"));
    (then != now && !is_swept).then(|| Warning::new(Kind::Training, message(then, now, &[&run.key], experiment.prunes)))
}

fn message(then: u64, now: u64, keys: &[&str], prunes: bool) -> String {
    let at_rungs = if prunes { ", and may have no score where trials are compared for pruning" } else { "" };
    let n = keys.len() as u64;
    let named: Vec<String> = keys.iter().take(NAMED).map(|key| short(key).to_string()).collect();
    let rest = keys.len().saturating_sub(NAMED);
    let named = named.into_iter().chain((rest > 0).then(|| format!("{} more", count(rest as u64)))).collect::<Vec<_>>();
    format!(
        "{} ({}) {} trained with train.eval_steps = {then}, not {now}: this does not change the weights, so {} kept as {}, with {} \
         evaluations{at_rungs}; to train {} with {now}, remove {} first (taper rm RUN)",
        counted(n, "completed run"),
        and(&named),
        by_number(n, "was", "were"),
        by_number(n, "it is", "they are"),
        by_number(n, "it is", "they are"),
        by_number(n, "its", "their"),
        by_number(n, "it", "them"),
        by_number(n, "it", "them"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_with_both_values() {
        let want = "1 completed run (aaaaaaaaaaaa) was trained with train.eval_steps = 0, not 10: this does not change the weights, so it is \
                    kept as it is, with its evaluations; to train it with 10, remove it first (taper rm RUN)";
        assert_eq!(message(0, 10, &[&"a".repeat(64)], false), want);
        assert!(
            message(0, 10, &["a"], true)
                .contains("with its evaluations, and may have no score where trials are compared")
        );
        let keys = ["a", "b", "c", "d", "e"].map(|key| key.repeat(64));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let said = message(5, 0, &keys, false);
        assert!(
            said.starts_with(
                "5 completed runs (aaaaaaaaaaaa, bbbbbbbbbbbb, cccccccccccc and 2 more) were trained with"
            ),
            "{said}"
        );
    }
}
