//! What ended early and why: trials that were pruned, by rung, and failed runs, by reason.

use std::{cmp::Ordering, collections::BTreeMap};

use super::points::is_pruned;
use crate::report::language::Said;
use crate::{
    event::{PrunedBy, Split, When},
    format::names::without_numbers,
    metrics::{Metric, Score, spearman},
    report::{
        analysis::Analysis,
        input::{ReportInput, RunInput},
    },
    store::RunState,
};

/// Trials that were pruned at one rung.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunedGroup {
    /// The number of the rung, from 1; `None` if no comparison ended them: then all trials that ended at the same part of their steps.
    pub rung: Option<u64>,
    /// The trials, in the plan's order.
    pub trials: Vec<PrunedTrial>,
    /// What was measured there of the trials that went on past it, in the plan's order.
    pub on: Vec<WentOn>,
    /// The rank of the best trial there; `None` while no trial has a rank, or if it has no value there.
    pub best: Option<RungRank>,
    /// How well the order there agrees with the final one; `None` where fewer than [`LEAST_ORDERED`] trials that are completed have a value
    /// there, or all have the same.
    pub agreement: Option<Agreement>,
    /// Whether trials were compared with the median of earlier ones, which each of them has its own of.
    pub by_median: bool,
}

/// A trial that went on past a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WentOn {
    /// Its position in the analysis' groups.
    pub group: usize,
    /// The step of the evaluation.
    pub step: u64,
    /// The mean of the ranking metric over its runs at that step.
    pub value: Option<f64>,
}

/// The rank of a trial among all that reached a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RungRank {
    /// Its position in the analysis' groups.
    pub group: usize,
    /// Its value.
    pub value: f64,
    /// Its first and its last possible rank, from 1: they differ if others have the same value.
    pub ranks: (usize, usize),
    /// How many trials have a value there.
    pub of: usize,
}

/// How well two orders of the same trials agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Spearman's rank correlation: 1 for the same order, 0 for none, −1 for the reverse.
    pub correlation: f64,
    /// The number of trials.
    pub trials: usize,
}

/// With fewer trials, two orders are not compared.
pub const LEAST_ORDERED: usize = 3;

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

    /// The worst and the best value of the trials that were pruned there.
    pub fn values(&self, metric: Metric) -> Option<(f64, f64)> {
        ends(self.trials.iter().filter_map(|trial| trial.value), metric)
    }

    /// The worst and the best value there of the trials that went on.
    pub fn values_on(&self, metric: Metric) -> Option<(f64, f64)> {
        ends(self.on.iter().filter_map(|trial| trial.value), metric)
    }

    /// The trials that have a value there, with it.
    fn measured(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let pruned = self.trials.iter().map(|trial| (trial.group, trial.value));
        let all = pruned.chain(self.on.iter().map(|trial| (trial.group, trial.value)));
        all.filter_map(|(group, value)| Some((group, value?)))
    }

    /// The rank of a trial there; `None` if it has no value there.
    pub fn rank_of(&self, group: usize, metric: Metric) -> Option<RungRank> {
        let (_, value) = self.measured().find(|(other, _)| *other == group)?;
        let score = |value: f64| metric.score(value).rounded();
        let better = self.measured().filter(|other| score(other.1) > score(value)).count();
        let equal = self.measured().filter(|other| score(other.1) == score(value)).count();
        Some(RungRank { group, value, ranks: (better + 1, better + equal), of: self.measured().count() })
    }

    /// How well the order there agrees with the final one, of the completed trials.
    fn agreement(&self, analysis: &Analysis) -> Option<Agreement> {
        let of = |(group, value): (usize, f64)| {
            let group = &analysis.groups[group];
            group.rank.and_then(|_| Some((value, group.chosen?.mean)))
        };
        let pairs: Vec<(f64, f64)> = self.measured().filter_map(of).collect();
        let correlation = spearman(&pairs);
        (pairs.len() >= LEAST_ORDERED && correlation.is_finite())
            .then_some(Agreement { correlation, trials: pairs.len() })
    }

    /// How many runs were pruned.
    pub fn runs(&self) -> usize {
        self.trials.iter().map(|trial| trial.runs.len()).sum()
    }
}

/// The worst and the best of these values.
fn ends(values: impl Iterator<Item = f64>, metric: Metric) -> Option<(f64, f64)> {
    let scores: Vec<Score> = values.filter(|value| value.is_finite()).map(|value| metric.score(value)).collect();
    let by = |a: &&Score, b: &&Score| a.partial_cmp(b).unwrap_or(Ordering::Equal);
    let (worst, best) = (scores.iter().min_by(by)?, scores.iter().max_by(by)?);
    Some((metric.value(*worst), metric.value(*best)))
}

/// The pruned trials by rung.
pub fn pruned(input: &ReportInput, analysis: &Analysis, metric: Metric) -> Vec<PrunedGroup> {
    let mut rungs: BTreeMap<(u64, u64), PrunedGroup> = BTreeMap::new();
    for (group, trial) in analysis.groups.iter().enumerate() {
        let runs: Vec<usize> = trial.runs.iter().copied().filter(|&run| is_pruned(&input.runs[run])).collect();
        let Some(&first) = runs.first() else { continue };
        let record = &input.runs[first].run;
        let reason = record.message.clone().unwrap_or_default();
        let rung = record.pruned_at.map(|at| at.rung);
        // In thousandths of the steps where no rung is known.
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
        let empty =
            PrunedGroup { rung, trials: Vec::new(), on: Vec::new(), best: None, agreement: None, by_median: false };
        let at_rung = rungs.entry((rung.unwrap_or(u64::MAX), part)).or_insert(empty);
        at_rung.by_median |= record.pruned_at.is_some_and(|at| at.rule == PrunedBy::Median);
        at_rung.trials.push(trial);
    }
    let best = analysis.order.iter().copied().find(|&group| analysis.groups[group].rank == Some(1));
    let mut rungs: Vec<PrunedGroup> = rungs.into_values().collect();
    for rung in &mut rungs {
        rung.on = went_on(input, analysis, rung, metric);
        rung.best = best.and_then(|best| rung.rank_of(best, metric));
        rung.agreement = rung.agreement(analysis);
    }
    rungs
}

/// The trials that went on past a rung, with their values at the same part of their steps.
fn went_on(input: &ReportInput, analysis: &Analysis, rung: &PrunedGroup, metric: Metric) -> Vec<WentOn> {
    let Some(first) = rung.trials.first() else { return Vec::new() };
    let mut ended = vec![false; analysis.groups.len()];
    rung.trials.iter().for_each(|trial| ended[trial.group] = true);
    let of = |(group, trial): (usize, &crate::report::analysis::Group)| {
        let past = |&run: &usize| {
            let run = &input.runs[run];
            // The first evaluation that is not before the same part of the steps.
            let at = run.evals.iter().find(|eval| {
                eval.when == When::During
                    && eval.split == Split::Dev
                    && u128::from(eval.step) * u128::from(first.of)
                        >= u128::from(first.step) * u128::from(run.run.total_steps)
            })?;
            (run.run.steps > at.step || run.run.state == RunState::Completed)
                .then(|| (at.step, eval_value(&at.metrics, metric)))
        };
        let values: Vec<(u64, Option<f64>)> = trial.runs.iter().map(past).collect::<Option<_>>()?;
        let step = values.first().filter(|_| !ended[group])?.0;
        Some(WentOn { group, step, value: mean(values.into_iter().map(|(_, value)| value)) })
    };
    analysis.groups.iter().enumerate().filter_map(of).collect()
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

/// Failed runs with the same reason.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureGroup {
    /// The message of the first of them, without its full stop; `None` if it left none.
    pub reason: Option<String>,
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
            let reason = why.map(|why| why.trim_end_matches('.').to_string());
            groups.push(FailureGroup { reason, state, runs: Vec::new() });
        }
        groups[at].runs.push(i);
    }
    groups
}
