//! What the budget brought: the best trial so far, by runs and by steps, beside the expected best of fewer trials.

use super::points::{Point, is_pruned};
use crate::{
    metrics::{Better, Metric},
    report::{analysis::Analysis, input::ReportInput},
    stats::expected_best,
    store::RunState,
};

/// The budget of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The runs that ended, in the order in which they did.
    pub moments: Vec<Moment>,
    /// Steps trained by all of them.
    pub steps: u64,
    /// Expected best of 1, 2, … trials; empty with fewer than three.
    pub expected: Vec<f64>,
    /// How many of these trials were pruned.
    pub pruned: usize,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// The run.
    pub run: usize,
    /// Steps trained until then, by this run and those before.
    pub steps: u64,
    /// The trial that has its result from then on, by its position among the points.
    pub point: Option<usize>,
    /// The best result until then.
    pub best: Option<f64>,
}

impl Budget {
    /// The budget of these trials.
    pub fn of(input: &ReportInput, analysis: &Analysis, points: &[Point], metric: Metric) -> Self {
        let ended = |run: &usize| {
            matches!(input.runs[*run].run.state, RunState::Completed | RunState::Pruned | RunState::Failed)
        };
        let mut order: Vec<usize> = (0..input.runs.len()).filter(ended).collect();
        let at = |run: usize| input.runs[run].run.finished_at.unwrap_or(f64::INFINITY);
        order.sort_by(|&a, &b| at(a).total_cmp(&at(b)).then(a.cmp(&b)));
        let mut position = vec![None; input.runs.len()];
        order.iter().enumerate().for_each(|(i, &run)| position[run] = Some(i));
        let mut point_at = vec![None; order.len()];
        for (i, point) in points.iter().enumerate() {
            let runs = &analysis.groups[point.group].runs;
            if let Some(last) = runs.iter().filter_map(|&run| position[run]).max() {
                point_at[last] = Some(i);
            }
        }
        let (mut steps, mut best) = (0, None);
        let moment = |(i, &run): (usize, &usize)| {
            steps += input.runs[run].run.steps;
            if let Some(point) = point_at[i] {
                best = better(best, points[point].mean.mean, metric);
            }
            Moment { run, steps, point: point_at[i], best }
        };
        let moments: Vec<Moment> = order.iter().enumerate().map(moment).collect();
        let (values, pruned) = values(input, analysis, points, metric);
        let expected = match values.len() >= 3 && !points.is_empty() {
            true => expected_best(&values, metric.info().better == Better::Higher),
            false => Vec::new(),
        };
        Self { moments, steps, expected, pruned }
    }

    /// The moment from which on the best trial is known.
    pub fn found(&self) -> Option<usize> {
        let last = self.moments.last()?.best?;
        self.moments.iter().position(|moment| moment.best == Some(last))
    }
}

fn better(best: Option<f64>, value: f64, metric: Metric) -> Option<f64> {
    match best {
        Some(best) if metric.score(best) >= metric.score(value) => Some(best),
        _ => Some(value),
    }
}

/// The value of each trial that a smaller sweep could have drawn, and how many were pruned. A pruned trial has the value that it ended with,
/// but none above the best result: it would not have been the answer.
fn values(input: &ReportInput, analysis: &Analysis, points: &[Point], metric: Metric) -> (Vec<f64>, usize) {
    let mut values: Vec<f64> = points.iter().map(|point| point.mean.mean).collect();
    let best = values.iter().fold(None, |best, value| better(best, *value, metric));
    let pruned = |group: &&crate::report::analysis::Group| group.runs.iter().any(|&run| is_pruned(&input.runs[run]));
    let of_pruned: Vec<f64> = analysis
        .groups
        .iter()
        .filter(pruned)
        .filter_map(|group| Some(group.chosen?.mean))
        .filter(|value| value.is_finite())
        .map(|value| match best {
            Some(best) if metric.score(value) > metric.score(best) => best,
            _ => value,
        })
        .collect();
    let n = of_pruned.len();
    values.extend(of_pruned);
    (values, n)
}
