//! What ended early and why: trials that were pruned, by rung, and failed runs, by reason.

use std::collections::BTreeMap;

use super::points::is_pruned;
use crate::report::language::{Said, tr};
use crate::{
    event::{Split, When},
    format::names::without_numbers,
    metrics::Metric,
    report::{
        analysis::Analysis,
        input::{ReportInput, RunInput},
    },
    store::RunState,
};

/// Trials that were pruned at one rung.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunedGroup {
    /// The number of the rung, from 1; `None` if the reasons do not say it: then all trials that ended at the same part of their steps.
    pub rung: Option<u64>,
    /// The trials, in the plan's order.
    pub trials: Vec<PrunedTrial>,
    /// How many trials went on past it.
    pub went_on: usize,
    /// The worst value there of those that went on.
    pub worst_on: Option<f64>,
    /// Whether trials were compared with the median of earlier ones, which each of them has its own of.
    pub by_median: bool,
}

/// A trial that was pruned.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunedTrial {
    /// Its position in the analysis' groups.
    pub group: usize,
    /// The runs of it that were pruned.
    pub runs: Vec<usize>,
    /// The step at which it ended.
    pub step: u64,
    /// The steps that it was planned with.
    pub of: u64,
    /// The mean of the ranking metric over its runs at that step.
    pub value: Option<f64>,
    /// Why, in the words of the rule.
    pub reason: String,
}

impl PrunedGroup {
    /// The lowest and the highest step at which its trials ended.
    pub fn steps(&self) -> (u64, u64) {
        let steps = || self.trials.iter().map(|trial| trial.step);
        (steps().min().unwrap_or(0), steps().max().unwrap_or(0))
    }

    /// The worst and the best value of its trials.
    pub fn values(&self, metric: Metric) -> Option<(f64, f64)> {
        let mut values: Vec<f64> = self.trials.iter().filter_map(|trial| trial.value).collect();
        let key = |value: f64| metric.value(metric.score(value).or_worst());
        values.sort_by(|a, b| {
            metric.score(*a).partial_cmp(&metric.score(*b)).unwrap_or_else(|| key(*a).total_cmp(&key(*b)))
        });
        Some((*values.first()?, *values.last()?))
    }

    /// How many runs were pruned.
    pub fn runs(&self) -> usize {
        self.trials.iter().map(|trial| trial.runs.len()).sum()
    }
}

/// The pruned trials by rung.
pub fn pruned(input: &ReportInput, analysis: &Analysis, metric: Metric) -> Vec<PrunedGroup> {
    let mut rungs: BTreeMap<(u64, u64), PrunedGroup> = BTreeMap::new();
    for (group, trial) in analysis.groups.iter().enumerate() {
        let runs: Vec<usize> = trial.runs.iter().copied().filter(|&run| is_pruned(&input.runs[run])).collect();
        let Some(&first) = runs.first() else { continue };
        let record = &input.runs[first].run;
        let reason = record.message.clone().unwrap_or_default();
        let rung = rung_of(&reason);
        // In thousandths of the steps where no rung is named.
        let part = if rung.is_some() { 0 } else { record.steps * 1000 / record.total_steps.max(1) };
        let at = |run: &usize| value_at(&input.runs[*run], input.runs[*run].run.steps, metric);
        let trial = PrunedTrial {
            group,
            step: record.steps,
            of: record.total_steps,
            value: mean(runs.iter().map(at)),
            runs,
            reason: reason.trim().to_string(),
        };
        let empty = PrunedGroup { rung, trials: Vec::new(), went_on: 0, worst_on: None, by_median: false };
        rungs.entry((rung.unwrap_or(u64::MAX), part)).or_insert(empty).trials.push(trial);
    }
    let mut rungs: Vec<PrunedGroup> = rungs.into_values().collect();
    for rung in &mut rungs {
        rung.by_median = rung.trials.iter().any(|trial| trial.reason.contains(", the median of "));
        let on = went_on(input, analysis, rung, metric);
        rung.went_on = on.len();
        let worst = on.into_iter().flatten().reduce(|a, b| if metric.score(b) < metric.score(a) { b } else { a });
        rung.worst_on = worst.filter(|_| !rung.by_median);
    }
    rungs
}

/// The values of the trials that went on past a rung, at the same part of their steps.
fn went_on(input: &ReportInput, analysis: &Analysis, rung: &PrunedGroup, metric: Metric) -> Vec<Option<f64>> {
    let Some(first) = rung.trials.first() else { return Vec::new() };
    let mut ended = vec![false; analysis.groups.len()];
    rung.trials.iter().for_each(|trial| ended[trial.group] = true);
    let value = |(group, trial): (usize, &crate::report::analysis::Group)| {
        let past = |&run: &usize| {
            let run = &input.runs[run];
            // The first evaluation that is not before the same part of the steps.
            let at = run.evals.iter().find(|eval| {
                eval.when == When::During
                    && eval.split == Split::Dev
                    && u128::from(eval.step) * u128::from(first.of)
                        >= u128::from(first.step) * u128::from(run.run.total_steps)
            })?;
            (run.run.steps > at.step || run.run.state == RunState::Completed).then(|| eval_value(&at.metrics, metric))
        };
        let values: Option<Vec<Option<f64>>> = trial.runs.iter().map(past).collect();
        values.filter(|_| !ended[group]).map(|values| mean(values.into_iter()))
    };
    analysis.groups.iter().enumerate().filter_map(value).collect()
}

fn eval_value(metrics: &crate::metrics::Metrics, metric: Metric) -> Option<f64> {
    Some(metrics.get(metric)).filter(|value| value.is_finite())
}

/// The metric of a run on its dev rows in the last evaluation up to a step.
fn value_at(run: &RunInput, step: u64, metric: Metric) -> Option<f64> {
    let during =
        |eval: &&crate::store::EvalRecord| eval.when == When::During && eval.split == Split::Dev && eval.step <= step;
    eval_value(&run.evals.iter().rfind(during)?.metrics, metric)
}

/// The mean of values, if all are known.
fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The number of the rung that a reason names: `rank 5 of 9 at rung 2 with …`.
fn rung_of(reason: &str) -> Option<u64> {
    let after = reason.split(" at rung ").nth(1)?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Failed runs with the same reason.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureGroup {
    /// The message of the first of them, without its full stop.
    pub reason: String,
    /// Their state: `failed (diverged)`.
    pub state: String,
    /// The runs, in the plan's order.
    pub runs: Vec<usize>,
}

/// The failed runs by reason: messages that differ only in numbers are the same.
pub fn failures(input: &ReportInput) -> Vec<FailureGroup> {
    let mut groups: Vec<FailureGroup> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (i, run) in input.runs.iter().enumerate().filter(|(_, run)| run.run.state == RunState::Failed) {
        let message = without_numbers(run.run.message.as_deref().unwrap_or_default());
        let state = run.run.said();
        let at = *known.entry(message.replace("#.#", "#").replace("#e-#", "#") + &state).or_insert(groups.len());
        if at == groups.len() {
            let why = run.run.message.as_deref().map(str::trim).filter(|why| !why.is_empty());
            let reason = why.unwrap_or(tr("it left no message", "没有留下错误信息")).trim_end_matches('.').to_string();
            groups.push(FailureGroup { reason, state, runs: Vec::new() });
        }
        groups[at].runs.push(i);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_its_rung() {
        assert_eq!(rung_of("rank 5 of 9 at rung 2 with dev accuracy 61.0%; only the best 3 go on"), Some(2));
        assert_eq!(rung_of("mean dev accuracy 61.0% (3 seeds) at rung 12 is worse than 70.0%"), Some(12));
        assert_eq!((rung_of("failed before rung 1"), rung_of("8th of 9 at step 75")), (None, None));
    }
}
