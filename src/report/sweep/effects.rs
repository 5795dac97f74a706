//! The effect of each axis: the mean of the ranking metric over the trials with each of its values.

use super::{
    axes::Axis,
    points::{Point, is_pruned},
};
use crate::{
    metrics::{Better, Metric},
    report::{
        analysis::Analysis,
        input::ReportInput,
        means::{Mean, mean_of},
    },
    store::RunState,
};

/// What the trials with one value of an axis say.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The mean of the ranking metric over the trials that count, each of which counts once; `None` if there are none.
    pub mean: Option<Mean>,
    /// The best of those of them whose runs are all completed, as the ranking has them.
    pub best: Option<f64>,
    /// The mean of the first metric of the task at the end.
    pub first: Option<f64>,
    /// All trials with this value.
    pub trials: usize,
    /// Those of them that were pruned.
    pub pruned: usize,
    /// Those of them that have no result because a run failed.
    pub failed: usize,
}

/// The effects of the levels of an axis.
pub fn effects(axis: &Axis, points: &[Point], input: &ReportInput, analysis: &Analysis, metric: Metric) -> Vec<Effect> {
    let mut counts = vec![false; analysis.groups.len()];
    points.iter().for_each(|point| counts[point.group] = true);
    let state = |group: usize, is: &dyn Fn(usize) -> bool| analysis.groups[group].runs.iter().any(|&run| is(run));
    let of_level = |level: usize| {
        let own = || points.iter().filter(|point| axis.level_of[point.group] == level);
        let values: Vec<f64> = own().map(|point| point.mean.mean).collect();
        let firsts: Vec<f64> = own().filter_map(|point| point.first).filter(|value| value.is_finite()).collect();
        let groups = || (0..analysis.groups.len()).filter(|&group| axis.level_of[group] == level);
        let without = || groups().filter(|group| !counts[*group]);
        let pruned = |group: &usize| state(*group, &|run| is_pruned(&input.runs[run]));
        Effect {
            mean: mean_of(&values, metric),
            best: best_of(
                &own().filter(|point| point.complete).map(|point| point.mean.mean).collect::<Vec<_>>(),
                metric,
            ),
            first: (!firsts.is_empty()).then(|| firsts.iter().sum::<f64>() / firsts.len() as f64),
            trials: groups().count(),
            pruned: without().filter(pruned).count(),
            failed: without()
                .filter(|group| !pruned(group))
                .filter(|group| state(*group, &|run| input.runs[run].run.state == RunState::Failed))
                .count(),
        }
    };
    (0..axis.levels.len()).map(of_level).collect()
}

/// The best of some values of a metric.
pub fn best_of(values: &[f64], metric: Metric) -> Option<f64> {
    let best = match metric.info().better {
        Better::Higher => f64::max,
        Better::Lower => f64::min,
    };
    values.iter().copied().reduce(best)
}
