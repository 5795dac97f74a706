//! Warnings that only the results of a finished sweep can show.

use std::collections::BTreeMap;

use super::ExperimentError;
use crate::{
    event::{Split, When},
    execute::Prepared,
    format::names,
    metrics::{Metric, Score},
    plan::Keep,
    store::{ExperimentRecord, RunState, Store},
    warning::{Kind, Warning},
};

/// The warning that a finished sweep has no completed run, and what to do.
pub(super) fn none_completed(store: &Store, experiment: &ExperimentRecord) -> Result<Option<Warning>, ExperimentError> {
    let mut states = Vec::with_capacity(experiment.runs.len());
    for (key, _) in &experiment.runs {
        states.push(store.run(key)?.state);
    }
    if states.len() < 2 || states.contains(&RunState::Completed) {
        return Ok(None);
    }
    let advice = match (states.contains(&RunState::Pruned), states.contains(&RunState::Failed)) {
        (true, false) => "`taper run` with --retry trains pruned runs to the end",
        (true, true) => "`taper run` with --retry trains pruned runs to the end, and tries the failed ones again",
        (false, _) => {
            "fix the cause of the failures; `taper run` tries these runs again, and with --retry also those that diverged"
        }
    };
    let counts = RunState::counted(states.iter().copied());
    let message =
        format!("no run of this sweep is completed ({counts}), so there is no best trial and no result: {advice}");
    Ok(Some(Warning::new(Kind::Sweep, message)))
}

/// A trial as it is ranked when the best weights are kept.
struct Ranked {
    name: String,
    state: RunState,
    score: Score,
    seeds: usize,
}

/// The warning that a pruned trial had a better value than every completed one. A pruning rule compares values at the same step, and
/// `checkpoint.keep = "best"` ranks completed trials by their best evaluation: a trial whose loss rises again can be the best by the second
/// and pruned by the first.
pub(super) fn best_was_pruned(store: &Store, runs: &[Prepared]) -> Result<Option<Warning>, ExperimentError> {
    let Some(first) = runs.first() else { return Ok(None) };
    let metric = first.config.checkpoint.metric;
    if runs.iter().any(|run| run.config.checkpoint.keep != Keep::Best) {
        return Ok(None);
    }
    let mut members: BTreeMap<usize, Vec<&Prepared>> = BTreeMap::new();
    runs.iter().for_each(|run| members.entry(run.trial).or_default().push(run));
    let several = members.len() > 1;
    let mut trials: Vec<Ranked> = Vec::new();
    for runs in members.into_values() {
        let (mut states, mut scores) = (Vec::new(), Vec::new());
        for run in &runs {
            states.push(store.run(&run.key)?.state);
            let evals = store.evals(&run.key)?;
            let dev = evals.iter().filter(|eval| eval.split == Split::Dev && eval.when != When::Before);
            scores.push(dev.map(|eval| eval.metrics.score(metric).or_worst()).reduce(|a, b| if b > a { b } else { a }));
        }
        let state = RunState::of_several(states.iter().copied());
        let name = names::common(&runs.iter().map(|run| run.name.as_str()).collect::<Vec<_>>(), several).to_string();
        let score = scores.into_iter().collect::<Option<Vec<Score>>>().and_then(Score::mean);
        trials.extend(score.map(|score| Ranked { name, state, score, seeds: runs.len() }));
    }
    Ok(better_pruned(metric, &trials))
}

/// The warning about these trials.
fn better_pruned(metric: Metric, trials: &[Ranked]) -> Option<Warning> {
    let best = |state: RunState| {
        let those = trials.iter().filter(|trial| trial.state == state && trial.score > Score::WORST);
        those.reduce(|a, b| if b.score > a.score { b } else { a })
    };
    let (pruned, completed) = (best(RunState::Pruned)?, best(RunState::Completed)?);
    let text = |trial: &Ranked| match trial.seeds {
        1 => metric.text(metric.value(trial.score)),
        seeds => format!("{}, the mean of {seeds} seeds", metric.text(metric.value(trial.score))),
    };
    if pruned.score <= completed.score || text(pruned) == text(completed) {
        return None;
    }
    let tied =
        trials.iter().filter(|trial| trial.state == RunState::Completed && trial.score == completed.score).count();
    let than = match tied {
        1 => format!("the best completed trial `{}` ({})", completed.name, text(completed)),
        // Which of them is the best is not decided by this value.
        n => format!("the {n} best completed trials, which tie ({})", text(completed)),
    };
    let message = format!(
        "the pruned trial `{}` had a better dev {} before it was pruned ({}) than {than}: sweep.prune compares \
         trials at the same step, and checkpoint.keep = \"best\" ranks completed ones by their best evaluation; `taper run` with \
         --retry trains pruned runs to the end",
        pruned.name,
        metric.name(),
        text(pruned),
    );
    Some(Warning::new(Kind::Sweep, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(metric: Metric, trials: &[(&str, RunState, f64, usize)]) -> Option<String> {
        let ranked = |&(name, state, value, seeds): &(&str, RunState, f64, usize)| Ranked {
            name: name.into(),
            state,
            score: metric.score(value),
            seeds,
        };
        better_pruned(metric, &trials.iter().map(ranked).collect::<Vec<_>>()).map(|warning| warning.message)
    }

    #[test]
    fn a_pruned_trial_with_a_better_value_than_any_completed_one_is_named() {
        use RunState::{Completed, Failed, Pruned};
        let trials = [("lr=1", Completed, 0.4049, 1), ("lr=2", Pruned, 0.3632, 1), ("lr=3", Pruned, 0.5, 1)];
        let message = said(Metric::Loss, &trials).expect("a warning");
        let want = "the pruned trial `lr=2` had a better dev loss before it was pruned (0.3632) than the best completed trial `lr=1` (0.4049)";
        assert!(message.starts_with(want), "{message}");
        let accuracy = [("a", Completed, 0.9, 3), ("b", Pruned, 0.95, 3)];
        let message = said(Metric::Accuracy, &accuracy).expect("a warning");
        assert!(message.contains("(95.0%, the mean of 3 seeds) than the best completed trial `a` (90.0%"), "{message}");
        let tied = [("a", Completed, 0.9, 1), ("b", Pruned, 0.95, 1), ("c", Completed, 0.9, 1)];
        let message = said(Metric::Accuracy, &tied).expect("a warning");
        assert!(message.contains("(95.0%) than the 2 best completed trials, which tie (90.0%): "), "{message}");
        assert_eq!(said(Metric::Loss, &[("a", Completed, 0.3, 1), ("b", Pruned, 0.4, 1)]), None, "worse");
        assert_eq!(said(Metric::Loss, &[("a", Failed, 0.5, 1), ("b", Pruned, 0.4, 1)]), None, "nothing is completed");
        assert_eq!(said(Metric::Loss, &[("a", Completed, 0.40001, 1), ("b", Pruned, 0.4, 1)]), None, "equal as shown");
        assert_eq!(said(Metric::Loss, &[("a", Completed, 0.5, 1), ("b", Pruned, f64::NAN, 1)]), None);
    }
}
