//! Groups runs into trials, and chooses the metric that ranks them. Pure functions of records.

use std::collections::HashMap;

use serde_json::json;

use super::terms::Terms;
use crate::{
    event::{Split, When},
    metrics::{Metric, Metrics, RankKey, is_new_best},
    plan::{CHANGES_NO_NUMBER, Fold, Keep, RunConfig, reduce_evaluations, remove_key},
    store::{EvalRecord, RunRecord, RunState},
};

/// The metric and the split that runs and trials are ranked by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// The split.
    pub split: Split,
    /// The metric.
    pub metric: Metric,
}

impl Criterion {
    /// The criterion for these runs: the metric that chooses checkpoints on the dev rows, if all of them have such rows, whether or not it
    /// is defined there; otherwise the first metric of the task on the test split.
    pub fn of(runs: &[(&RunRecord, &[EvalRecord])]) -> Self {
        let terms = Terms::of(runs.iter().map(|(run, _)| *run));
        let by_test = Self { split: Split::Test, metric: terms.first };
        let Some((first, _)) = runs.first() else { return by_test };
        let by_dev = Self { split: Split::Dev, metric: first.config.checkpoint.metric };
        let was_evaluated =
            |evals: &[EvalRecord]| evals.iter().any(|e| e.split == Split::Dev && e.when != When::Before);
        let can = |(run, evals): &(&RunRecord, &[EvalRecord])| {
            run.config.data.has_dev() && (run.final_metrics.is_none() || was_evaluated(evals))
        };
        if runs.iter().all(can) { by_dev } else { by_test }
    }

    /// The metrics of a run's kept weights on this split, if the metric is defined there.
    pub fn measured<'a>(&self, run: &'a RunRecord, evals: &'a [EvalRecord]) -> Option<&'a Metrics> {
        self.evaluated(run, evals).filter(|metrics| metrics.get(self.metric).is_finite())
    }

    /// What a run is ranked by: the scores of its kept weights. Of a completed run, the score can be undefined, which is the worst.
    pub fn rank(&self, run: &RunRecord, evals: &[EvalRecord]) -> Option<RankKey> {
        let is_final = run.state == RunState::Completed;
        let metrics = self.measured(run, evals).or_else(|| self.evaluated(run, evals).filter(|_| is_final))?;
        Some(RankKey::new(metrics, self.metric))
    }

    fn evaluated<'a>(&self, run: &'a RunRecord, evals: &'a [EvalRecord]) -> Option<&'a Metrics> {
        match (self.split, &run.final_metrics) {
            (Split::Test, Some(metrics)) => Some(metrics),
            _ => kept(&run.config, evals, self.split, self.metric),
        }
    }

    /// The step at which [`Self::measured`] was evaluated.
    pub fn step(&self, run: &RunRecord, evals: &[EvalRecord]) -> Option<u64> {
        kept_at(&run.config, evals, self.split, self.metric).map(|e| e.step)
    }
}

/// Groups equal keys: the positions of each, in order of first occurrence.
pub fn grouped<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of: HashMap<K, usize> = HashMap::new();
    for (i, key) in keys.enumerate() {
        let group = *group_of.entry(key).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(i);
    }
    groups
}

/// What the runs of one trial have in common, as text: the resolved config without `train.seed`, the seeds that follow it, its
/// fold, and what does not affect results.
pub fn trial(config: &RunConfig) -> String {
    let train = &config.train;
    let mut seeds = vec!["train.seed"];
    let followers = [("train.init_seed", train.init_seed), ("train.order_seed", train.order_seed)];
    // A seed that differs from `train.seed` is an axis of the sweep.
    seeds.extend(followers.iter().filter(|(_, seed)| *seed == train.seed).map(|(key, _)| *key));
    let mut value = json!({
        "model": config.model,
        "data": config.data,
        "train": config.train,
        "checkpoint": config.checkpoint,
    });
    if let Some(fold) = value["data"]["fold"].as_str().and_then(|fold| fold.parse::<Fold>().ok()) {
        value["data"]["fold"] = fold.first().to_string().into();
    }
    // A reused run may have other evaluations than a new one of the same trial.
    reduce_evaluations(&mut value, config);
    seeds.into_iter().chain(CHANGES_NO_NUMBER).for_each(|key| remove_key(&mut value, key));
    value.to_string()
}

/// Metrics of the kept weights on `split`: from the evaluation after training, or else from the evaluation that chose them, if `by` is defined
/// there.
pub fn kept<'a>(config: &RunConfig, evals: &'a [EvalRecord], split: Split, by: Metric) -> Option<&'a Metrics> {
    kept_at(config, evals, split, by).map(|e| &e.metrics)
}

/// The evaluation whose metrics [`kept`] returns.
pub fn kept_at<'a>(config: &RunConfig, evals: &'a [EvalRecord], split: Split, by: Metric) -> Option<&'a EvalRecord> {
    let on_split = || evals.iter().filter(|e| e.split == split);
    let finite = |e: &&EvalRecord| e.metrics.get(by).is_finite();
    if let Some(after) = on_split().rfind(|e| e.when == When::After) {
        return Some(after);
    }
    let mut during = on_split().filter(|e| e.when == When::During).filter(finite);
    match config.checkpoint.keep {
        Keep::Best => {
            during.reduce(
                |best, next| {
                    if is_new_best(Some(best.metrics.score(by)), next.metrics.score(by)) { next } else { best }
                },
            )
        }
        Keep::Last | Keep::All | Keep::None => during.next_back(),
    }
}

/// The trial number of each run: runs that differ only in their seed and fold have the same number.
pub fn trial_numbers<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> Vec<usize> {
    let groups = grouped(runs.map(|run| trial(&run.config)));
    let mut numbers = vec![0; groups.iter().map(Vec::len).sum()];
    for (number, group) in groups.iter().enumerate() {
        group.iter().for_each(|&i| numbers[i] = number);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RunConfig {
        serde_json::from_str(include_str!("../../tests/fixtures/store_config.json")).unwrap()
    }

    #[test]
    fn among_equal_evaluations_the_first_is_kept() {
        let eval = |step, right, loss| {
            let mut metrics = crate::store::testing::metrics(right);
            metrics.set(Metric::Loss, loss);
            EvalRecord { when: When::During, step, epoch: 1, split: Split::Dev, metrics, elapsed_s: 0.0 }
        };
        let evals = [eval(1, 2, 0.9), eval(2, 3, 0.4), eval(3, 3, 0.7), eval(4, 1, 0.1)];
        let mut config = config();
        let mut kept = |keep, by| {
            config.checkpoint.keep = keep;
            kept_at(&config, &evals, Split::Dev, by).map(|e| e.step)
        };
        assert_eq!(kept(Keep::Best, Metric::Accuracy), Some(2));
        assert_eq!(kept(Keep::Best, Metric::Loss), Some(4));
        assert_eq!(kept(Keep::Last, Metric::Accuracy), Some(4));
        assert_eq!(kept_at(&config, &[], Split::Dev, Metric::Accuracy), None);
    }

    #[test]
    fn the_folds_of_a_cross_validation_are_one_trial() {
        let with = |fold: Option<&str>, seed| {
            let mut config = config();
            config.data.fold = fold.map(|fold| fold.parse().unwrap());
            (config.train.seed, config.train.init_seed, config.train.order_seed) = (seed, seed, seed);
            config
        };
        let runs = [
            with(Some("1/5"), 1),
            with(Some("2/5"), 1),
            with(Some("2/5"), 2),
            with(Some("2/4"), 1), // another division
            with(None, 1),
        ];
        assert_eq!(grouped(runs.iter().map(trial)), [vec![0, 1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn runs_of_a_trial_differ_in_their_seed_only() {
        let with = |seed, init_seed, data_seed, log_steps, lr| {
            let mut config = config();
            (config.train.seed, config.train.init_seed, config.train.order_seed) = (seed, init_seed, seed);
            (config.data.seed, config.train.log_steps, config.train.lr) = (data_seed, log_steps, lr);
            config.name = format!("{seed}");
            config
        };
        let runs = [
            with(1, 1, 7, 50, 1e-5),
            with(2, 2, 7, 20, 1e-5),
            with(1, 1, 7, 50, 2e-5),
            with(2, 9, 7, 50, 1e-5), // an axis over train.init_seed
            with(1, 1, 8, 50, 1e-5), // another split
        ];
        assert_eq!(grouped(runs.iter().map(trial)), [vec![0, 1], vec![2], vec![3], vec![4]]);
    }
}
