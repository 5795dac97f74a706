//! What the answer says of its number: whether the gain is beyond chance, how the trial was chosen, and what a user of the model gets.

use crate::{
    format::by_number,
    metrics::{Metric, Metrics},
    report::{
        analysis::{Analysis, Comparison, Group},
        change, format,
        input::{ReportInput, RunInput, split_name},
        long_texts::few,
        means::{Mean, mean},
        same_rows::OnSameRows,
        terms::Terms,
        with_decision::chosen,
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

impl Measured {
    /// Of a mean. The range of two seeds is no 95% interval: where it is the wider one, there is none.
    pub fn of(mean: &Mean) -> Self {
        let range = |shown: &(f64, f64)| mean.n == 2 && *shown == mean.range;
        let shown = mean.shown().filter(|shown| !range(shown));
        Self { value: mean.mean, interval: shown.map(|(low, high)| Interval { low, high }) }
    }

    /// Of a mean, with the interval of one run over its rows where that is wider, as if it were around the mean: several seeds do not add rows.
    pub fn over_rows(mean: &Mean, run: f64, rows: Option<Interval>) -> Self {
        let own = Self::of(mean);
        let moved = rows.map(|rows| Interval { low: rows.low + own.value - run, high: rows.high + own.value - run });
        let width = |interval: &Interval| interval.high - interval.low;
        let of_two = if mean.n == 2 { mean.range.1 - mean.range.0 } else { 0.0 };
        let both = own.interval.into_iter().chain(moved).filter(|interval| width(interval) >= of_two);
        Self { interval: both.reduce(|a, b| if width(&b) > width(&a) { b } else { a }), ..own }
    }

    /// Of a value on these rows: a share of them has Wilson's interval.
    pub fn on_rows(terms: Terms, value: f64, rows: u64) -> Self {
        let interval = terms.is_single().then(|| wilson_of_share(value, rows));
        Self { value, interval }
    }
}

/// A gain over another value.
pub(super) struct Gain {
    /// What it is over, in a sentence.
    what: &'static str,
    /// The first metric minus the other value.
    difference: f64,
    /// 95% interval of the difference.
    interval: Interval,
    /// p-value of McNemar's test, where both are of the same rows.
    p: Option<f64>,
}

impl Gain {
    /// Over a value that is taken as independent, so that the interval is wider than it has to be on the same rows. `None` if one of the two has
    /// no interval: half of the uncertainty would be missing.
    pub fn over(what: &'static str, after: Measured, other: Measured) -> Option<Self> {
        let (own, of_other) = (after.interval?, other.interval?);
        let interval = difference_of((after.value, own), (other.value, of_other));
        let difference = after.value - other.value;
        difference.is_finite().then_some(Self { what, difference, interval, p: None })
    }

    /// Of a run over what it predicted before training, row by row. `None` if that is not stored.
    pub fn of_rows(what: &'static str, run: &RunInput, terms: Terms) -> Option<Self> {
        let rows = change::joined(run)?;
        if run.run.final_metrics.as_ref()?.rows != rows.len() as u64 {
            return None;
        }
        let change::Gained { difference, interval, p } = change::gained(&rows, terms.task, run.run.labels.len())?;
        Some(Self { what, difference, interval, p })
    }

    fn text(&self, terms: Terms) -> String {
        let (low, high) = (self.interval.low, self.interval.high);
        let excluded = low > 0.0 || high < 0.0;
        let verdict = match (excluded && self.p.is_none_or(|p| p < 0.05), terms.is_better(self.difference)) {
            (true, true) => "beyond chance",
            (true, false) => "worse, beyond chance",
            (false, _) => "not shown beyond chance",
        };
        let p = self.p.map_or(String::new(), |p| format!(", McNemar {}", format::p_value(p)));
        format!(
            "{} over {} (interval {} to {}{p}): {verdict}",
            terms.difference(self.difference),
            self.what,
            terms.bare_difference(low),
            terms.bare_difference(high)
        )
    }
}

/// Whether each gain is beyond chance.
pub(super) fn gain(terms: Terms, gains: &[Gain], rows: &str) -> Option<String> {
    let parts: Vec<String> = gains.iter().map(|gain| gain.text(terms)).collect();
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
    // Also while only one trial is completed: the rows decide between it and the others.
    let same_rows = analysis.best().is_some_and(|best| input.runs[best].measured_on() == analysis.criterion.split);
    let rows = match same_rows {
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
    // Of several seeds, rows are those of one run of each trial.
    let by_runs = matches!(analysis.comparison, Some(Comparison::Runs { .. }));
    let (it, that_of, the) = match by_runs && analysis.has_seeds() && !analysis.has_folds() {
        true => ("Its best run", "that of ", "The best run of the"),
        false => ("It", "", "The"),
    };
    let said = |p: f64, first_is_better: bool, second: &str| {
        let p_value = format::p_value(p);
        match (p < 0.05, first_is_better) {
            (false, _) => {
                format!("{it} is not distinguishable from {that_of}the second trial, “{second}” ({p_value}).")
            }
            (true, true) => {
                format!("{it} is significantly better than {that_of}the second trial, “{second}” ({p_value}).")
            }
            (true, false) => format!(
                "{the} second trial by the ranking, “{second}”, is significantly better on the rows of the comparison ({p_value})."
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

/// The metrics of the result with the thresholds and the temperature that `taper predict` applies, in a cross-validation those of each fold.
pub(super) fn decided(analysis: &Analysis) -> Option<String> {
    let (with, terms) = (analysis.with_decision.as_ref()?, analysis.terms);
    let metrics = with.run.final_metrics.as_ref()?;
    let mut parts = Vec::new();
    for metric in [terms.first, terms.second] {
        if metrics.is_measured(metric) {
            parts.push(format!("{} {}", metric.name(), metric.text(metrics.get(metric))));
        }
    }
    let (what, them) = match chosen(&with.run.config.data) {
        one @ "the temperature" => (one, "it"),
        several => (several, "them"),
    };
    let (of, rows) = match analysis.together.is_some() {
        true => (" of each fold", "all rows, out-of-fold".to_owned()),
        false => ("", format!("the {} rows", split_name(with.measured_on()))),
    };
    let with = format!("With {what}{of}, as `taper predict` applies {them}: {} on {rows}.", parts.join(", "));
    (!parts.is_empty()).then_some(with)
}
