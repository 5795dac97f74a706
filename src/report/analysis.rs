//! What the records say: which run is best, by what, which runs are the same but for their seeds, and whether the best
//! is distinguishable from the next. Pure functions of the input.

use std::cmp::Ordering;

use super::{
    input::{ReportInput, RunInput},
    trials::{self, common_name, grouped, kept, without_seeds},
};
use crate::{
    event::Split,
    metrics::Metrics,
    plan::Metric,
    stats::{Paired, Sample},
    store::{PredictionRecord, RunState},
};

/// What the records say. Runs are named by their position in the input.
pub struct Analysis {
    /// The split whose figures choose the best run.
    pub chosen_on: Split,
    /// The figure that chooses.
    pub chosen_by: Metric,
    /// Completed runs with a result, best first.
    pub ranked: Vec<usize>,
    /// Score of each run, more is better; none without a result.
    pub scores: Vec<Option<f64>>,
    /// Runs that are the same but for their seeds, in the plan's order.
    pub groups: Vec<Group>,
    /// The best run against others.
    pub comparisons: Vec<Comparison>,
}

/// Runs that are the same but for their seeds.
pub struct Group {
    /// What their names have in common.
    pub name: String,
    /// The runs, in the plan's order.
    pub runs: Vec<usize>,
    /// Final accuracy of those with a result.
    pub accuracy: Option<Sample>,
    /// Final macro-F1 of those with a result.
    pub macro_f1: Option<Sample>,
}

/// Two runs on the same rows.
pub struct Comparison {
    /// The better one.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Who was right on how many rows, or why that is not known.
    pub paired: Result<Paired, &'static str>,
}

impl Analysis {
    /// Looks at everything once.
    pub fn new(input: &ReportInput) -> Self {
        let runs = &input.runs;
        let finished: Vec<usize> = (0..runs.len()).filter(|&i| has_result(&runs[i])).collect();
        let metric = finished.first().map_or(Metric::Accuracy, |&i| runs[i].run.config.checkpoint.metric);
        // A dev split chooses only if it can choose among all of them.
        let by_dev: Vec<Option<f64>> = runs.iter().map(|run| dev_score(run, metric)).collect();
        let use_dev = !finished.is_empty() && finished.iter().all(|&i| by_dev[i].is_some());
        let (chosen_on, chosen_by) = match finished.first() {
            _ if use_dev => (Split::Dev, metric),
            Some(&i) => (runs[i].measured_on(), Metric::Accuracy),
            None => (Split::Test, Metric::Accuracy),
        };
        let accuracy = |i: usize| runs[i].run.final_metrics.as_ref().map(|m| m.accuracy);
        let scores: Vec<Option<f64>> = (0..runs.len())
            .map(|i| {
                if !finished.contains(&i) {
                    None
                } else if use_dev {
                    by_dev[i]
                } else {
                    accuracy(i)
                }
            })
            .collect();
        let mut ranked = finished;
        ranked.sort_by(|&a, &b| better_first(runs, &scores, a, b));
        let groups = groups(runs, &scores);
        let comparisons = comparisons(runs, &ranked, &groups);
        Self { chosen_on, chosen_by, ranked, scores, groups, comparisons }
    }

    /// The best run.
    pub fn best(&self) -> Option<usize> {
        self.ranked.first().copied()
    }

    /// The group that a run belongs to.
    pub fn group_of(&self, run: usize) -> usize {
        self.groups.iter().position(|g| g.runs.contains(&run)).unwrap_or(0)
    }

    /// Whether any configuration was planned with more than one seed.
    pub fn has_seeds(&self) -> bool {
        self.groups.iter().any(|g| g.runs.len() > 1)
    }

    /// Whether the rows that chose the best run are those it is measured on, among several.
    pub fn is_optimistic(&self, runs: &[RunInput]) -> bool {
        self.ranked.len() > 1 && self.best().is_some_and(|best| runs[best].measured_on() == self.chosen_on)
    }
}

fn has_result(run: &RunInput) -> bool {
    run.run.state == RunState::Completed && run.run.final_metrics.as_ref().is_some_and(|m| m.accuracy.is_finite())
}

/// Score of the kept weights on the dev split.
fn dev_score(run: &RunInput, by: Metric) -> Option<f64> {
    kept(&run.run.config, &run.evals, Split::Dev, by).map(|metrics| metrics.figure(by))
}

/// Higher score, then lower final loss, then earlier in the plan.
fn better_first(runs: &[RunInput], scores: &[Option<f64>], a: usize, b: usize) -> Ordering {
    let loss = |i: usize| runs[i].run.final_metrics.as_ref().map_or(f64::INFINITY, |m| m.loss);
    trials::better_first(scores[a], scores[b]).then(loss(a).total_cmp(&loss(b))).then(a.cmp(&b))
}

fn groups(runs: &[RunInput], scores: &[Option<f64>]) -> Vec<Group> {
    let members = grouped(runs.iter().map(|run| without_seeds(&run.run.config)));
    let several = members.len() > 1;
    let figures = |group: &[usize], f: fn(&Metrics) -> f64| -> Option<Sample> {
        let with_result = group.iter().filter(|&&i| scores[i].is_some());
        Sample::new(&with_result.filter_map(|&i| runs[i].run.final_metrics.as_ref().map(f)).collect::<Vec<_>>())
    };
    members
        .into_iter()
        .map(|group| Group {
            name: common_name(&group.iter().map(|&i| runs[i].run.name.as_str()).collect::<Vec<_>>(), several),
            accuracy: figures(&group, |m| m.accuracy),
            macro_f1: figures(&group, |m| m.macro_f1),
            runs: group,
        })
        .collect()
}

/// The best run against the next, and against the best of another configuration where the next differs in seeds only.
fn comparisons(runs: &[RunInput], ranked: &[usize], groups: &[Group]) -> Vec<Comparison> {
    let Some((&best, rest)) = ranked.split_first() else { return Vec::new() };
    let siblings = groups.iter().find(|g| g.runs.contains(&best)).map_or(&[][..], |g| &g.runs);
    let next = rest.first().copied();
    let other = rest.iter().copied().find(|i| !siblings.contains(i));
    let mut rivals: Vec<usize> = next.into_iter().chain(other).collect();
    rivals.dedup();
    rivals.into_iter().map(|i| Comparison { first: best, second: i, paired: pair(&runs[best], &runs[i]) }).collect()
}

/// Who was right on the rows that both runs were measured on. They must be the same rows.
fn pair(a: &RunInput, b: &RunInput) -> Result<Paired, &'static str> {
    if a.predictions.is_empty() || b.predictions.is_empty() {
        return Err("the predictions of one of them are not stored");
    }
    let (a, b) = (by_row(a), by_row(b));
    let same = a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| (x.0, x.1, x.2, x.3) == (y.0, y.1, y.2, y.3));
    if !same {
        return Err("they were measured on different rows");
    }
    Ok(Paired::count(a.iter().zip(&b).map(|(x, y)| (x.4, y.4))))
}

/// (row, line, label, text, right) of each prediction, by row.
fn by_row(run: &RunInput) -> Vec<(u32, u64, u32, &str, bool)> {
    let right = |p: &PredictionRecord| p.label == p.predicted;
    let mut rows: Vec<_> =
        run.predictions.iter().map(|p| (p.row, p.line, p.label, p.text.as_str(), right(p))).collect();
    rows.sort_unstable();
    rows
}
