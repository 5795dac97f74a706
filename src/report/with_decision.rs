//! The result as `taper predict` gives it: with the temperature and the thresholds that were chosen on dev rows.

use super::{folds::as_one, input::RunInput};
use crate::{
    event::{Decided, Split},
    metrics::{ClassMetrics, Metric, Metrics, Probabilities, Target},
    plan::{DataConfig, Thresholds},
    report::language::tr,
    store::PredictionRecord,
    task::{Answer, Decision},
};

/// Float32 probabilities give the mean loss to about this share of it, unless many of them are next to 0 or 1.
const LOSS: f64 = 1e-3;

/// A run whose metrics are those with its decision. Its rows are predicted with it, too, where that is known: see [`rows`]; otherwise it has
/// none. `None` without a decision, and without metrics with it.
pub fn with_decision(run: &RunInput) -> Option<RunInput> {
    let decided = run.run.decided.as_ref()?;
    let mut with = RunInput { predictions: Vec::new(), steps: Vec::new(), ..run.clone() };
    with.run.final_metrics = Some(metrics(run, decided)?.clone());
    with.run.decided = None;
    let row = |(p, (predicted, probabilities)): (&PredictionRecord, (Target, Probabilities))| PredictionRecord {
        predicted,
        probabilities,
        ..p.clone()
    };
    with.predictions = run.predictions.iter().zip(rows(run).unwrap_or_default()).map(row).collect();
    Some(with)
}

/// The folds of one seed as if they were one run, each with its own decision; `None` if one has none.
pub fn folds_with_decision(name: String, folds: &[&RunInput], model: &RunInput) -> Option<RunInput> {
    let mut with: Vec<RunInput> = folds.iter().map(|run| with_decision(run)).collect::<Option<_>>()?;
    if with.iter().any(|run| run.predictions.is_empty()) {
        with.iter_mut().for_each(|run| run.predictions.clear());
    }
    as_one(name, &with.iter().collect::<Vec<_>>(), model)
}

/// What the settings choose on dev rows, in words: `the temperature and the thresholds`.
pub fn chosen(data: &DataConfig) -> &'static str {
    match (data.thresholds == Thresholds::Tuned, data.calibrate) {
        (true, true) => tr("the temperature and the thresholds", "温度和阈值"),
        (true, false) => tr("the thresholds", "阈值"),
        (false, _) => tr("the temperature", "温度"),
    }
}

/// The metrics of the result with the decision.
pub fn metrics<'a>(run: &RunInput, decided: &'a Decided) -> Option<&'a Metrics> {
    if run.measured_on() == Split::Test { decided.test.as_ref() } else { Some(&decided.dev) }
}

/// What the decision gives for each stored row, with its probabilities, from the stored ones. `None` if not all are stored, as of more than
/// [`Probabilities::ALL`] labels, or if they do not give the metrics that were measured.
pub fn rows(run: &RunInput) -> Option<Vec<(Target, Probabilities)>> {
    let decided = run.run.decided.as_ref()?;
    let (want, labels) = (metrics(run, decided)?, &run.run.labels);
    let answers: Vec<Answer> =
        run.predictions.iter().map(|p| answer(p, labels.len(), &decided.decision)).collect::<Option<_>>()?;
    let got = Metrics::new(labels, answers.iter().zip(&run.predictions).map(|(answer, p)| answer.scored(&p.label)));
    let near = |metric| (got.get(metric) - want.get(metric)).abs() <= LOSS * want.get(metric).abs();
    let counts = |metrics: &Metrics| {
        let of = |class: &ClassMetrics| {
            (class.support, class.predicted, (class.recall * class.support as f64).round() as u64)
        };
        metrics.per_class.iter().map(of).collect::<Vec<_>>()
    };
    let is_same = got.rows == want.rows
        && got.right() == want.right()
        && got.confusion == want.confusion
        && counts(&got) == counts(want)
        && near(Metric::Loss);
    is_same.then(|| {
        let row = |answer: Answer| (answer.predicted().clone(), answer.stored(None));
        answers.into_iter().map(row).collect()
    })
}

fn answer(p: &PredictionRecord, labels: usize, decision: &Decision) -> Option<Answer> {
    let all: Vec<f32> = p.probabilities.iter().map(|(_, p)| p).collect();
    let is_whole = all.len() == labels && !p.probabilities.are_named();
    is_whole.then(|| Answer::of_stored(p.predicted.clone(), all).decided(decision))
}
