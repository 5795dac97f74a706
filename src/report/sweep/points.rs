//! The trials that count in the analysis of a sweep.

use crate::{
    report::{
        analysis::Analysis,
        input::{ReportInput, RunInput},
        means::Mean,
    },
    store::RunState,
};

/// A trial with a result.
pub struct Point {
    /// Its position in the analysis' groups.
    pub group: usize,
    /// The metric that ranks trials: the mean over its completed runs.
    pub mean: Mean,
    /// The first metric of the task at the end, likewise.
    pub first: Option<f64>,
    /// Whether all its runs are completed.
    pub complete: bool,
}

/// The trials with a result, in the plan's order. A trial of which a run was pruned has none: the seeds that were completed before would be
/// those that did well.
pub fn points(input: &ReportInput, analysis: &Analysis) -> Vec<Point> {
    let of_group = |(group, trial): (usize, &crate::report::analysis::Group)| {
        let pruned = |&run: &usize| is_pruned(&input.runs[run]);
        let mean = trial.chosen.filter(|mean| mean.mean.is_finite())?;
        let counts = !trial.finished.is_empty() && !trial.runs.iter().any(pruned);
        counts.then(|| Point {
            group,
            mean,
            first: trial.first.map(|mean| mean.mean),
            complete: trial.finished.len() == trial.planned,
        })
    };
    analysis.groups.iter().enumerate().filter_map(of_group).collect()
}

/// Whether a run was pruned.
pub fn is_pruned(run: &RunInput) -> bool {
    run.run.state == RunState::Pruned
}
