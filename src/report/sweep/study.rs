//! The analysis of a sweep, computed once for the page, its charts and its tables.

use super::{
    axes::{Axis, axes},
    budget::Budget,
    chance::AxisTest,
    effects::{Effect, effects},
    ended::{FailureGroup, PrunedGroup, failures, pruned},
    from_search::may_be_drawn,
    importance::{Importance, Noise},
    pairs::PairGrid,
    points::{Point, points},
};
use crate::report::language::measured;
use crate::{
    event::Split,
    metrics::Metric,
    report::{analysis::Analysis, input::ReportInput, swept::Swept},
};

/// With fewer trials that have a result, axes are not analysed.
pub const LEAST_POINTS: usize = 3;

/// The analysis of a sweep.
pub struct Sweep {
    /// The metric that ranks trials.
    pub metric: Metric,
    /// The split of it: `dev`.
    pub split: Split,
    /// What varies between trials, in the order of their keys.
    pub axes: Vec<Axis>,
    /// The trials that count.
    pub points: Vec<Point>,
    /// The effects of the levels of each axis; empty with fewer than [`LEAST_POINTS`] points.
    pub effects: Vec<Vec<Effect>>,
    /// Whether the effect of each axis may be chance; as `effects`.
    pub tests: Vec<Option<AxisTest>>,
    /// How much each axis explains.
    pub importance: Option<Importance>,
    /// The combinations of the two axes that explain most.
    pub grid: Option<PairGrid>,
    /// What the budget brought; `None` with fewer than [`LEAST_POINTS`] points.
    pub budget: Option<Budget>,
    /// What was pruned.
    pub pruned: Vec<PrunedGroup>,
    /// What failed.
    pub failures: Vec<FailureGroup>,
}

impl Sweep {
    /// The analysis of an experiment.
    pub fn of(input: &ReportInput, analysis: &Analysis) -> Self {
        let metric = analysis.criterion.metric;
        let firsts: Vec<usize> = analysis.groups.iter().filter_map(|group| group.runs.first().copied()).collect();
        let axes = if firsts.len() > 1 {
            let drawn = may_be_drawn(&input.experiment);
            axes(&Swept::of(input), &firsts, &input.runs[firsts[0]].run.name, drawn)
        } else {
            Vec::new()
        };
        let points = points(input, analysis);
        let enough = !axes.is_empty() && points.len() >= LEAST_POINTS;
        let effects = match enough {
            true => axes.iter().map(|axis| effects(axis, &points, input, analysis, metric)).collect(),
            false => Vec::new(),
        };
        let importance = if enough { Importance::of(&axes, &points) } else { None };
        // Folds differ in their rows: their spread is not that of seeds.
        let of_seeds = |_: &Noise| input.runs.iter().all(|run| run.run.config.data.fold.is_none());
        let importance =
            importance.map(|importance| Importance { noise: importance.noise.filter(of_seeds), ..importance });
        let two = match (&importance, axes.len()) {
            (_, 0 | 1) => None,
            (Some(importance), _) => Some((importance.order()[0], importance.order()[1])),
            (None, _) => Some((0, 1)),
        };
        // Rows are the axis that comes first in the plan.
        let two = two.filter(|_| enough).map(|(a, b)| (a.min(b), a.max(b)));
        let pruned = pruned(input, analysis, metric);
        let budget = enough.then(|| Budget::of(input, analysis, &points, metric, &pruned));
        Self {
            metric,
            split: analysis.criterion.split,
            grid: two.map(|two| PairGrid::of(&axes, two, &points)),
            tests: (0..effects.len()).map(|at| AxisTest::of(at, &axes, &points, importance.as_ref())).collect(),
            importance,
            effects,
            budget,
            pruned,
            failures: failures(input),
            axes,
            points,
        }
    }

    /// The ranking metric with its split: `dev macro-F1`.
    pub fn ranked_by(&self) -> String {
        measured(self.split, self.metric)
    }
}
