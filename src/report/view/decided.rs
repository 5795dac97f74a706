//! The temperature and the thresholds of a run, or of the folds of a cross-validation, beside the metrics without them.

use super::super::{analysis::Analysis, format, input::RunInput, with_decision::chosen};
use crate::{
    event::{Decided, Split, When},
    metrics::{Metric, Metrics},
    stats::wilson,
    task::Task,
};

/// The most thresholds that are listed.
const MOST: usize = 20;

/// What was chosen on the dev rows.
#[derive(Debug, Clone)]
pub struct DecisionSection {
    /// Sentences about it.
    pub sentences: Vec<String>,
    /// The headings of `rows`.
    pub heads: Vec<String>,
    /// A metric, and its values without and with the decision on each split.
    pub rows: Vec<Vec<String>>,
}

/// A split, with its metrics without and with the decision.
type Beside<'a> = (&'static str, &'a Metrics, &'a Metrics);

/// That of the result, which is of these runs: of one, or of the folds of one seed. `None` if nothing was chosen.
pub fn section(result: Option<&RunInput>, with: Option<&RunInput>, runs: &[&RunInput]) -> Option<DecisionSection> {
    match (result, runs) {
        (Some(run), [_]) => of_run(run, with),
        (Some(together), [_, ..]) => of_folds(together, with, runs),
        _ => None,
    }
}

fn of_run(run: &RunInput, with: Option<&RunInput>) -> Option<DecisionSection> {
    let (decided, data) = (run.run.decided.as_ref()?, &run.run.config.data);
    let mut sentences = Vec::new();
    if data.calibrate {
        let temperature = format::decimals(decided.decision.temperature, 3);
        sentences.push(format!(
            "Logits are divided by the temperature {temperature}, which has the least loss on the dev rows."
        ));
    }
    if let Some(metric) = decided.metric {
        let of_label = |(label, at): (&String, f64)| format!("“{label}” {}", format::decimals(at, 3));
        let all = listed(decided.decision.named(&run.run.labels).map(of_label));
        sentences.push(format!(
            "Labels are predicted from these probabilities on, which have the best {} on the dev rows: {all}.",
            metric.name(),
        ));
    }
    sentences.push("No test row has a part in the choice. `taper predict` and `taper eval` apply it.".into());
    sentences.extend(with.map(scope));
    let before = |split| {
        let of_split = |eval: &&crate::store::EvalRecord| eval.when == When::After && eval.split == split;
        run.evals.iter().rev().find(of_split).map(|eval| &eval.metrics)
    };
    let splits =
        [("dev", before(Split::Dev), Some(&decided.dev)), ("test", before(Split::Test), decided.test.as_ref())];
    let splits: Vec<Beside<'_>> =
        splits.into_iter().filter_map(|(name, without, with)| Some((name, without?, with?))).collect();
    let (heads, rows) = table(run, decided, &splits);
    Some(DecisionSection { sentences, heads, rows })
}

/// What of the report is with the decision, and what without; `with` is the result with it.
fn scope(with: &RunInput) -> String {
    let task = with.run.config.data.task();
    let (mut with_it, mut without) = (vec!["the classes"], Vec::new());
    if task == Task::SingleLabel {
        with_it.insert(0, "the confusion matrix");
    }
    let rows = if with.predictions.is_empty() { &mut without } else { &mut with_it };
    rows.extend(["the reliability diagram", "the mistakes", "`mistakes.csv`"]);
    with_it.push("the probes after training");
    let beside = if task == Task::MultiLabel { "the tables of metrics and `metrics.csv`" } else { "`metrics.csv`" };
    without.push("all else (the ranking, the runs, the curves, the comparisons, what training changed)");
    let tables = match task {
        Task::SingleLabel => "`classes.csv`, `confusion.csv` and `predictions.csv`",
        _ => "`classes.csv` and `predictions.csv`",
    };
    let rows = match with.predictions.is_empty() {
        true => " Single rows are without it, because what is stored of them does not give their predictions with it.",
        false => "",
    };
    format!(
        "With the decision: {}. With and without it: the answer, {beside}, and the table below. Without it: {}. The tables {tables} have \
         both, in columns that say so.{rows}",
        with_it.join(", "),
        without.join(", "),
    )
}

/// That something is with the decision.
fn with(analysis: &Analysis) -> Option<&'static str> {
    analysis.with_decision.as_ref().map(|run| chosen(&run.run.config.data))
}

/// Said of the table of classes.
pub(super) fn of_classes(analysis: &Analysis) -> Option<String> {
    with(analysis).map(|chosen| format!("The table is of the predictions with {chosen}."))
}

/// Said of what training changed.
pub(super) fn without(analysis: &Analysis) -> Option<String> {
    with(analysis).map(|chosen| format!("Both are without {chosen}: what is compared is training alone."))
}

/// Said of the mistakes, behind another sentence.
pub(super) fn of_mistakes(analysis: &Analysis) -> String {
    let is_known = analysis.with_decision.as_ref().is_some_and(|run| !run.predictions.is_empty());
    let which = if is_known { "with" } else { "without" };
    with(analysis).map_or(String::new(), |chosen| format!(" Predicted {which} {chosen}."))
}

/// Each fold chooses for itself; metrics are those of the held-out rows of all folds together.
fn of_folds(together: &RunInput, decided: Option<&RunInput>, folds: &[&RunInput]) -> Option<DecisionSection> {
    let all: Vec<&Decided> = folds.iter().map(|run| run.run.decided.as_ref()).collect::<Option<_>>()?;
    let (first, data) = (*all.first()?, &together.run.config.data);
    let mut sentences = vec!["Each fold chooses for itself, on its own dev rows.".to_owned()];
    if data.calibrate {
        let temperatures: Vec<f64> = all.iter().map(|decided| decided.decision.temperature).collect();
        sentences.push(format!(
            "Logits are divided by a temperature, which has the least loss on these rows: {}.",
            mean_and_range(&temperatures)
        ));
    }
    if let Some(metric) = first.metric {
        let labels = &together.run.labels;
        let named: Vec<Vec<f64>> =
            all.iter().map(|decided| decided.decision.named(labels).map(|(_, at)| at).collect()).collect();
        let of_label = |(i, (label, _)): (usize, (&String, f64))| {
            let of_folds: Vec<f64> = named.iter().filter_map(|fold| fold.get(i).copied()).collect();
            format!("“{label}” {}", mean_and_range(&of_folds))
        };
        let listed = listed(first.decision.named(labels).enumerate().map(of_label));
        sentences.push(format!(
            "Labels are predicted from these probabilities on, which have the best {} on these rows: {listed}.",
            metric.name()
        ));
    }
    sentences.push(
        "These are means over the folds, with the lowest and the highest value. No test row has a part in the choice of its fold."
            .into(),
    );
    sentences.extend(decided.map(scope));
    let tested: Option<Vec<&Metrics>> = all.iter().map(|decided| decided.test.as_ref()).collect();
    // Whatever follows from single rows, too, where they are known.
    let known = decided.and_then(|run| run.run.final_metrics.clone());
    let with = known.or_else(|| tested.and_then(|tested| Metrics::pooled(&tested)));
    let splits: Vec<Beside<'_>> = together
        .run
        .final_metrics
        .as_ref()
        .zip(with.as_ref())
        .map(|(without, with)| ("out-of-fold", without, with))
        .into_iter()
        .collect();
    let (heads, mut rows) = table(together, first, &splits);
    if with.is_none_or(|with| !with.is_measured(Metric::CalibrationError)) {
        rows.extend(mean_calibration_error(folds, &all));
    }
    Some(DecisionSection { sentences, heads, rows })
}

/// The calibration error does not follow from those of the folds: its mean over them.
fn mean_calibration_error(folds: &[&RunInput], all: &[&Decided]) -> Option<Vec<String>> {
    let metric = Metric::CalibrationError;
    let mean = |of: Vec<Option<&Metrics>>| -> Option<f64> {
        let values: Option<Vec<f64>> = of.into_iter().map(|metrics| Some(metrics?.get(metric))).collect();
        let values = values.filter(|values| values.iter().all(|value| value.is_finite()))?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    };
    let without = mean(folds.iter().map(|run| run.run.final_metrics.as_ref()).collect())?;
    let with = mean(all.iter().map(|decided| decided.test.as_ref()).collect())?;
    let name = format!("{}, mean of the folds", format::capital(metric.name()));
    Some(vec![name, metric.text(without), metric.text(with)])
}

/// The headings, and a row for each metric that the decision can change.
fn table(run: &RunInput, decided: &Decided, splits: &[Beside<'_>]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut metrics: Vec<Metric> = decided.metric.into_iter().collect();
    metrics.extend(run.run.config.data.task().headline());
    metrics.extend([Metric::SubsetAccuracy, Metric::Loss, Metric::CalibrationError]);
    let mut known = Vec::new();
    metrics.retain(|metric| {
        let is_measured = splits.iter().any(|(_, _, with)| !with.get(*metric).is_nan());
        let is_new = !known.contains(metric) && is_measured;
        known.push(*metric);
        is_new
    });
    let mut heads = vec!["Metric".to_owned()];
    heads.extend(splits.iter().flat_map(|(name, ..)| {
        [format!("{}, without", format::capital(name)), format!("{}, with", format::capital(name))]
    }));
    let row = |metric: &Metric| {
        let mut cells = vec![format::capital(metric.name())];
        cells.extend(splits.iter().flat_map(|(_, without, with)| [without, with].map(|m| value(*metric, m))));
        cells
    };
    (heads, metrics.iter().map(row).collect())
}

/// The first of them, and how many there are more.
fn listed(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    all.extend(
        (more > 0).then(|| format!("and {} more (`decision.json` of the kept model)", format::count(more as u64))),
    );
    all.join(", ")
}

/// `0.411 (0.350–0.470)`.
fn mean_and_range(values: &[f64]) -> String {
    let [mean, low, high] = [
        values.iter().sum::<f64>() / values.len() as f64,
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    ]
    .map(|value| format::decimals(value, 3));
    format!("{mean} ({low}–{high})")
}

/// A value, with Wilson's interval where it is a share of the rows.
fn value(metric: Metric, metrics: &Metrics) -> String {
    let value = metrics.get(metric);
    if !matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy) {
        return metric.text(value);
    }
    let interval = wilson(metrics.right(), metrics.rows);
    metric.text_with(value, (interval.low, interval.high))
}
