//! What the answer says of its number: whether the gain is beyond chance, how the trial was chosen, and what a user of the model gets.

use crate::{
    format::by_number,
    metrics::{Metric, Metrics},
    report::{
        analysis::{Analysis, Comparison, Group},
        format,
        input::{ReportInput, RunInput, split_name},
        long_texts::few,
        means::{Mean, mean},
        same_rows::OnSameRows,
        terms::Terms,
    },
    stats::{Interval, difference_of, wilson_of_share},
    store::RunState,
};

/// A value of the first metric, with its interval.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub value: f64,
    pub interval: Option<Interval>,
}

/// What a gain is over: its name in a sentence, and its value.
pub(super) type Over = (&'static str, Measured);

impl Measured {
    /// Of a mean.
    pub fn of(mean: &Mean) -> Self {
        Self { value: mean.mean, interval: mean.shown().map(|(low, high)| Interval { low, high }) }
    }

    /// With the interval of one run over its rows where that is wider, as if it were around this value: several seeds do not add rows. The values
    /// of two seeds alone are no interval.
    pub fn over_rows(self, seeds: usize, run: f64, rows: Option<Interval>) -> Self {
        let moved = rows.map(|rows| Interval { low: rows.low + self.value - run, high: rows.high + self.value - run });
        let own = self.interval.filter(|_| seeds > 2 || moved.is_some());
        let width = |interval: &Interval| interval.high - interval.low;
        let interval = own.into_iter().chain(moved).reduce(|a, b| if width(&b) > width(&a) { b } else { a });
        Self { interval, ..self }
    }

    /// Of a value on these rows: a share of them has Wilson's interval.
    pub fn on_rows(terms: Terms, value: f64, rows: u64) -> Self {
        let interval = terms.is_single().then(|| wilson_of_share(value, rows));
        Self { value, interval }
    }
}

/// Whether the gain over each of some values is beyond chance.
pub(super) fn gain(terms: Terms, after: Measured, over: &[Over], rows: &str) -> Option<String> {
    let own = after.interval?;
    let parts: Vec<String> = over
        .iter()
        .filter(|(_, other)| other.value.is_finite())
        .map(|(what, other)| {
            let fixed = Interval { low: other.value, high: other.value };
            let difference = after.value - other.value;
            let interval = difference_of((after.value, own), (other.value, other.interval.unwrap_or(fixed)));
            let (low, high) = (terms.bare_difference(interval.low), terms.bare_difference(interval.high));
            let verdict = match (interval.low > 0.0 || interval.high < 0.0, terms.is_better(difference)) {
                (true, true) => "beyond chance",
                (true, false) => "worse, beyond chance",
                (false, _) => "may be chance",
            };
            format!("{} over {what} (interval {low} to {high}): {verdict}", terms.difference(difference))
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let lower = if terms.lower_is_better() { " Lower is better." } else { "" };
    Some(format!("The gain on {rows}: {}.{lower}", parts.join("; ")))
}

/// How the best of several trials was chosen, and which others are as good.
pub(super) fn choice(input: &ReportInput, analysis: &Analysis, group: &Group) -> Option<String> {
    let trials = analysis.groups.len();
    if trials < 2 {
        return None;
    }
    let metric = analysis.criterion.metric;
    let by = format!("{} {}", split_name(analysis.criterion.split), metric.name());
    let value = group.chosen.map_or(String::new(), |mean| format!(", {}", mean.text(metric)));
    let rows = match analysis.is_optimistic(&input.runs) {
        true => "on the rows that it is measured on",
        false => "without the test rows",
    };
    let complete = analysis.groups.iter().filter(|group| group.rank.is_some()).count();
    let of = match complete == trials {
        true => format::plural(trials, "trial"),
        false => format!("{} ({complete} completed)", format::plural(trials, "trial")),
    };
    Some(format!("Chosen from {of} by {by}{value}, {rows}.{}", ties(analysis, group)))
}

/// The trials whose value is the best one.
fn ties(analysis: &Analysis, group: &Group) -> String {
    let metric = analysis.criterion.metric;
    let Some(best) = group.chosen.map(|mean| metric.score(mean.mean).rounded()) else { return String::new() };
    let same = |other: &&Group| {
        other.rank.is_some() && other.chosen.is_some_and(|mean| metric.score(mean.mean).rounded() == best)
    };
    let others: Vec<&str> =
        analysis.groups.iter().filter(same).filter(|other| other.name != group.name).map(|g| g.name.as_str()).collect();
    match others.len() {
        0 => String::new(),
        n => format!(
            " {} {} the same value ({}): the loss on the same rows decided, then the order of the plan.",
            format::plural(n, "other trial"),
            by_number(n as u64, "has", "have"),
            few(&others)
        ),
    }
}

/// Whether the best trial is distinguishable from the second.
pub(super) fn second(analysis: &Analysis) -> Option<String> {
    let group = |g: usize| analysis.groups[g].name.as_str();
    let said = |p: f64, first_is_better: bool, second: &str| {
        let p_value = format::p_value(p);
        match (p < 0.05, first_is_better) {
            (false, _) => format!("It is not distinguishable from the second trial, “{second}” ({p_value})."),
            (true, true) => format!("It is significantly better than the second trial, “{second}” ({p_value})."),
            (true, false) => format!(
                "The second trial by the ranking, “{second}”, is significantly better on the rows of the comparison ({p_value})."
            ),
        }
    };
    match analysis.comparison.as_ref()? {
        Comparison::Means { second, differ: Some(differ), .. } => {
            Some(said(differ.p, analysis.terms.is_better(differ.difference), group(*second)))
        }
        Comparison::Means { .. } => None,
        Comparison::Runs { second, paired, .. } => {
            let name = group(analysis.group_of(*second.first()?));
            match paired {
                Ok(OnSameRows::Right(paired)) => {
                    Some(said(paired.mcnemar(), paired.first_only > paired.second_only, name))
                }
                Ok(OnSameRows::Errors { test, .. }) => Some(said(test.p, test.mean < 0.0, name)),
                Err(_) => None,
            }
        }
    }
}

/// The ranking metric of the best trial on both splits, if the answer does not show it.
pub(super) fn ranking_metric(input: &ReportInput, analysis: &Analysis, group: &Group) -> Option<String> {
    let (metric, terms) = (analysis.criterion.metric, analysis.terms);
    if [terms.first, terms.second].contains(&metric) {
        return None;
    }
    let dev = group.chosen.map(|mean| format!("{} {}", mean.text(metric), split_name(analysis.criterion.split)));
    let runs: Vec<&RunInput> = group.finished.iter().map(|&run| &input.runs[run]).collect();
    let test = on_test(&runs, metric).map(|mean| format!("{} test", mean.text(metric)));
    let parts: Vec<String> = dev.into_iter().chain(test).collect();
    let what = if runs.len() > 1 { format!(" (means over {}s)", analysis.averaged_over()) } else { String::new() };
    (!parts.is_empty())
        .then(|| format!("{}, by which trials are ranked: {}{what}.", format::capital(metric.name()), parts.join(", ")))
}

/// The mean of a metric over the completed runs that have test rows.
pub(super) fn on_test(runs: &[&RunInput], metric: Metric) -> Option<Mean> {
    let measured: Vec<&Metrics> = runs
        .iter()
        .filter(|run| run.run.state == RunState::Completed && run.run.config.data.has_test())
        .filter_map(|run| run.run.final_metrics.as_ref())
        .collect();
    mean(&measured, metric)
}

/// The metrics of a run with the thresholds and the temperature that `taper predict` applies.
pub(super) fn decided(run: &RunInput, terms: Terms) -> Option<String> {
    let decided = run.run.decided.as_ref()?;
    let test = run.run.config.data.has_test();
    let metrics = if test { decided.test.as_ref()? } else { &decided.dev };
    let mut parts = Vec::new();
    for metric in [terms.first, terms.second] {
        if metrics.is_measured(metric) {
            parts.push(format!("{} {}", metric.name(), metric.text(metrics.get(metric))));
        }
    }
    let data = &run.run.config.data;
    let what = match (decided.metric.is_some(), data.calibrate) {
        (true, true) => "its thresholds and its temperature",
        (true, false) => "its thresholds",
        _ => "its temperature",
    };
    let split = if test { "test" } else { "dev" };
    let with = format!("With {what}, as `taper predict` applies them: {} on the {split} rows.", parts.join(", "));
    (!parts.is_empty())
        .then(|| if what == "its temperature" { with.replace("applies them", "applies it") } else { with })
}
