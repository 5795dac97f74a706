//! What the budget brought: the best trial so far, by runs and by steps, beside the expected best of fewer trials.

use super::{
    ended::PrunedGroup,
    points::{Point, is_pruned},
};
use crate::{
    metrics::{Better, Metric},
    report::{
        analysis::{Analysis, Group},
        input::{ReportInput, RunInput},
    },
    stats::expected_best,
    store::RunState,
};

/// The budget of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// The runs that ended, in the order in which they trained their last step.
    pub moments: Vec<Moment>,
    /// Steps trained by all of them.
    pub steps: u64,
    /// Expected best of 1, 2, … trials; empty with fewer than three.
    pub expected: Vec<f64>,
    /// How many of these trials were pruned.
    pub pruned: usize,
    /// Trials that are left out because a run of them failed.
    pub failed: usize,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// The run.
    pub run: usize,
    /// Steps trained until then, by all runs, including those that trained or waited then.
    pub steps: u64,
    /// The trial that has its result from then on, by its position among the points.
    pub point: Option<usize>,
    /// The best result until then.
    pub best: Option<f64>,
}

impl Budget {
    /// The budget of these trials, of which those with all their runs completed have a result, as in the ranking; and what was pruned.
    pub fn of(
        input: &ReportInput,
        analysis: &Analysis,
        points: &[Point],
        metric: Metric,
        pruned: &[PrunedGroup],
    ) -> Self {
        let ended = |run: &usize| {
            matches!(input.runs[*run].run.state, RunState::Completed | RunState::Pruned | RunState::Failed)
        };
        let mut order: Vec<usize> = (0..input.runs.len()).filter(ended).collect();
        let at = |run: usize| input.runs[run].run.finished_at.unwrap_or(f64::INFINITY);
        order.sort_by(|&a, &b| at(a).total_cmp(&at(b)).then(a.cmp(&b)));
        let mut position = vec![None; input.runs.len()];
        order.iter().enumerate().for_each(|(i, &run)| position[run] = Some(i));
        let mut point_at = vec![None; order.len()];
        for (i, point) in points.iter().enumerate().filter(|(_, point)| point.complete) {
            let runs = &analysis.groups[point.group].runs;
            if let Some(last) = runs.iter().filter_map(|&run| position[run]).max() {
                point_at[last] = Some(i);
            }
        }
        let spent = Spent::of(input, &order);
        let mut best = None;
        let moment = |(i, &run): (usize, &usize)| {
            let steps = spent.at(i);
            if let Some(point) = point_at[i] {
                best = better(best, points[point].mean.mean, metric);
            }
            Moment { run, steps, point: point_at[i], best }
        };
        let moments: Vec<Moment> = order.iter().enumerate().map(moment).collect();
        let (values, pruned) = values(points, metric, pruned);
        let expected = match values.len() >= 3 && values.len() > pruned {
            true => expected_best(&values, metric.info().better == Better::Higher),
            false => Vec::new(),
        };
        let has = |runs: &[usize], is: &dyn Fn(&RunInput) -> bool| runs.iter().any(|&run| is(&input.runs[run]));
        let failed = |group: &&Group| {
            has(&group.runs, &|run| run.run.state == RunState::Failed) && !has(&group.runs, &is_pruned)
        };
        let steps = spent.all();
        Self { moments, steps, expected, pruned, failed: analysis.groups.iter().filter(failed).count() }
    }

    /// The moment from which on the best trial is known.
    pub fn found(&self) -> Option<usize> {
        let last = self.moments.last()?.best?;
        self.moments.iter().position(|moment| moment.best == Some(last))
    }
}

/// The steps that runs trained by the clock.
struct Spent {
    /// Of each run, in the order in which they ended: when it began and ended, in seconds of Unix time, and its steps.
    runs: Vec<(f64, f64, f64)>,
}

impl Spent {
    fn of(input: &ReportInput, order: &[usize]) -> Self {
        let of = |&run: &usize| {
            let run = &input.runs[run].run;
            let ended = run.finished_at.unwrap_or(f64::INFINITY);
            (run.started_at.unwrap_or(ended), ended, run.steps as f64)
        };
        Self { runs: order.iter().map(of).collect() }
    }

    /// All of them.
    fn all(&self) -> u64 {
        self.runs.iter().map(|run| run.2).sum::<f64>() as u64
    }

    /// Those until the end of a run, by its position. Of a run that ended later, what part of the time since its start had passed: when a
    /// run waited within that time is not stored.
    fn at(&self, position: usize) -> u64 {
        let now = self.runs[position].1;
        let before: f64 = self.runs[..=position].iter().map(|run| run.2).sum();
        let part = |&(began, ended, steps): &(f64, f64, f64)| match (now - began) / (ended - began) {
            share if share.is_finite() => steps * share.clamp(0.0, 1.0),
            _ => 0.0,
        };
        (before + self.runs[position + 1..].iter().map(part).sum::<f64>()).round() as u64
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
fn values(points: &[Point], metric: Metric, pruned: &[PrunedGroup]) -> (Vec<f64>, usize) {
    let mut values: Vec<f64> = points.iter().filter(|point| point.complete).map(|point| point.mean.mean).collect();
    let best = values.iter().fold(None, |best, value| better(best, *value, metric));
    let ended = pruned.iter().flat_map(|rung| &rung.trials).filter_map(|trial| trial.value);
    let of_pruned: Vec<f64> = ended
        .map(|value| match best {
            Some(best) if metric.score(value) > metric.score(best) => best,
            _ => value,
        })
        .collect();
    let n = of_pruned.len();
    values.extend(of_pruned);
    (values, n)
}
