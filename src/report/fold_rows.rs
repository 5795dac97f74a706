//! The metrics of the folds of a cross-validation together. Some follow from the metrics of the folds; others only from their rows, which
//! are read from the store where such a metric is shown.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    terms::Terms,
    trials::{Criterion, grouped, trial},
};
use crate::{
    metrics::{Metric, Metrics, Scored, Target},
    store::{EvalRecord, PredictionRecord, RunRecord, RunState, Store, StoreError},
};

/// The metrics of folds together, as far as rows were needed for them: of each seed whose folds are all completed, by the key of the run of its
/// first fold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoldRows(HashMap<String, Metrics>);

impl FoldRows {
    /// Reads the predictions of the folds of an experiment, where a metric that is shown does not follow from the metrics of the folds.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(store: &Store, runs: &[(&RunRecord, &[EvalRecord])]) -> Result<Self, StoreError> {
        let mut rows = Self::default();
        let records: Vec<&RunRecord> = runs.iter().map(|(run, _)| *run).collect();
        for set in sets(&records) {
            let set: Vec<&RunRecord> = set.into_iter().map(|i| records[i]).collect();
            let Some(metrics) = pooled(set.iter().copied()) else { continue };
            let terms = Terms::of_run(set[0]);
            let mut shown = [terms.first, terms.second, Criterion::of(runs).metric].into_iter();
            if shown.any(|metric| FROM_ROWS.contains(&metric) && !metrics.is_measured(metric)) {
                let stored = set.iter().map(|run| store.predictions(&run.key, run.measured_on()));
                let stored = stored.collect::<Result<Vec<_>, _>>()?;
                rows.0
                    .insert(set[0].key.clone(), with_rows(metrics, &set[0].labels, &in_order(stored.iter().flatten())));
            }
        }
        Ok(rows)
    }

    /// These, and those of the runs whose predictions are known.
    pub(super) fn and(&self, runs: &[(&RunRecord, &[PredictionRecord])]) -> Self {
        let mut rows = self.clone();
        let records: Vec<&RunRecord> = runs.iter().map(|(run, _)| *run).collect();
        for set in sets(&records).into_iter().filter(|set| !self.0.contains_key(&records[set[0]].key)) {
            let Some(metrics) = pooled(set.iter().map(|&i| records[i])) else { continue };
            let first = records[set[0]];
            let known = in_order(set.iter().flat_map(|&i| runs[i].1));
            rows.0.insert(first.key.clone(), with_rows(metrics, &first.labels, &known));
        }
        rows
    }

    /// The metrics of all folds of one seed together.
    pub(super) fn together<'a>(&self, runs: impl Iterator<Item = &'a RunRecord> + Clone) -> Option<Metrics> {
        let known = runs.clone().next().and_then(|first| self.0.get(&first.key)).cloned();
        known.or_else(|| pooled(runs))
    }
}

/// The runs of each trial and seed whose folds are all completed, in the order of the folds.
fn sets(runs: &[&RunRecord]) -> Vec<Vec<usize>> {
    if runs.iter().all(|run| run.config.data.fold.is_none()) {
        return Vec::new();
    }
    let of_trial = |of: Vec<usize>| {
        let sets = complete(&of.iter().map(|&i| runs[i]).collect::<Vec<_>>()).into_iter();
        sets.map(|set| set.into_iter().map(|at| of[at]).collect()).collect::<Vec<Vec<usize>>>()
    };
    grouped(runs.iter().map(|run| trial(&run.config))).into_iter().flat_map(of_trial).collect()
}

/// Rows in the order of the data.
pub(super) fn in_order<'a>(rows: impl Iterator<Item = &'a PredictionRecord>) -> Vec<&'a PredictionRecord> {
    let mut rows: Vec<&PredictionRecord> = rows.collect();
    rows.sort_by_key(|p| p.row);
    rows
}

/// Metrics of folds together, with those that are known from their rows alone; as they are unless these are all of the rows.
pub(super) fn with_rows(mut metrics: Metrics, labels: &[String], rows: &[&PredictionRecord]) -> Metrics {
    if rows.len() as u64 != metrics.rows {
        return metrics;
    }
    let of_rows = Metrics::new(labels, rows.iter().map(|p| scored(p, labels.len())));
    for (metric, value) in of_rows.values().filter(|(metric, _)| FROM_ROWS.contains(metric)) {
        metrics.set(metric, value);
    }
    if metrics.per_class.len() == of_rows.per_class.len() {
        for (class, of_rows) in metrics.per_class.iter_mut().zip(&of_rows.per_class) {
            class.average_precision = of_rows.average_precision;
        }
    }
    metrics
}

/// The final metrics of a completed run.
pub(super) fn result(run: &RunRecord) -> Option<&Metrics> {
    run.final_metrics.as_ref().filter(|m| run.state == RunState::Completed && is_measured(run, m))
}

/// Whether an evaluation has a value of the first metric, or at least a loss: of rows without any label, F1 is undefined.
pub(super) fn is_measured(run: &RunRecord, metrics: &Metrics) -> bool {
    let terms = Terms::of_run(run);
    metrics.get(terms.first).is_finite() || !terms.is_single() && metrics.get(Metric::Loss).is_finite()
}

/// The metrics of all folds of one seed together.
pub(super) fn pooled<'a>(runs: impl Iterator<Item = &'a RunRecord>) -> Option<Metrics> {
    Metrics::pooled(&runs.filter_map(result).collect::<Vec<_>>())
}

/// The runs of each seed whose folds are all completed, in the order of the folds; seeds in the order of their first run.
pub(super) fn complete(runs: &[&RunRecord]) -> Vec<Vec<usize>> {
    let mut seeds: Vec<u64> = Vec::new();
    let mut sets: BTreeMap<u64, BTreeMap<u32, usize>> = BTreeMap::new();
    let mut folds = 0;
    for (i, run) in runs.iter().enumerate() {
        let Some(fold) = run.config.data.fold.filter(|_| result(run).is_some()) else { continue };
        folds = fold.of() as usize;
        let seed = run.config.train.seed;
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
        sets.entry(seed).or_default().entry(fold.number()).or_insert(i);
    }
    let sets = seeds.into_iter().filter_map(|seed| sets.remove(&seed)).filter(|set| set.len() == folds);
    sets.map(|set| set.into_values().collect()).collect()
}

/// Metrics that do not follow from those of the folds.
const FROM_ROWS: [Metric; 9] = [
    Metric::CalibrationError,
    Metric::SamplesPrecision,
    Metric::SamplesRecall,
    Metric::RocAuc,
    Metric::AveragePrecision,
    Metric::Rmse,
    Metric::R2,
    Metric::Pearson,
    Metric::Spearman,
];

/// A stored prediction as metrics count it, but for its loss.
fn scored(p: &PredictionRecord, labels: usize) -> Scored {
    // Of many labels only the most probable ones are stored.
    let all: Vec<f32> = p.probabilities.iter().map(|(_, p)| p).collect();
    let probabilities = if labels > Scored::MOST { Vec::new() } else { all };
    match (&p.label, &p.predicted) {
        (Target::Label(label), Target::Label(predicted)) => {
            Scored::of_label(*label, (*predicted, p.confidence().unwrap_or(0.0)), &probabilities, 0.0)
        }
        (Target::Values(values), predicted) => {
            Scored::Values { values: values.clone(), predicted: predicted.numbers().to_vec(), loss: 0.0 }
        }
        (labels, predicted) => Scored::Multi {
            labels: Arc::new(labels.ids().to_vec()),
            predicted: predicted.ids().to_vec(),
            probabilities,
            loss: 0.0,
        },
    }
}
