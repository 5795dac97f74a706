//! Two cross-validations over the folds that both have.

use std::collections::BTreeMap;

use super::{answers::are_stored, measured::MeasuredSide};
use crate::{
    event::Split,
    metrics::Metric,
    report::same_rows::{are_same, by_row},
    stats::{MeansDiffer, corrected_t},
    store::PredictionRecord,
};

/// A metric over the folds that two sides have, each fold with the mean over its seeds.
pub struct OverFolds {
    /// How many folds these are.
    pub folds: usize,
    /// The means over them (first, other).
    pub means: [f64; 2],
    /// The differences of the folds: that side minus the first.
    differences: Vec<f64>,
    /// Test rows over training rows.
    ratio: f64,
}

impl OverFolds {
    /// A metric of two cross-validations; `None` if no fold of both has it.
    pub fn of(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, metric: Metric) -> Option<Self> {
        let means = |side: &MeasuredSide<'_>| {
            let mut folds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
            side.by_fold(metric).into_iter().for_each(|(fold, value)| folds.entry(fold).or_default().push(value));
            folds
        };
        let (a, b) = (means(first), means(other));
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        let pairs: Vec<[f64; 2]> = a.iter().filter_map(|(fold, a)| Some([mean(a), mean(b.get(fold)?)])).collect();
        let folds = pairs.len();
        let over_all = |side: usize| pairs.iter().map(|pair| pair[side]).sum::<f64>() / folds as f64;
        Some(Self {
            folds: (folds > 0).then_some(folds)?,
            means: [0, 1].map(over_all),
            differences: pairs.iter().map(|[a, b]| b - a).collect(),
            ratio: ratio(first)?.max(ratio(other)?),
        })
    }

    /// The difference of the means.
    pub fn difference(&self) -> f64 {
        self.means[1] - self.means[0]
    }

    /// The corrected test; `None` for fewer than two folds, or if all differ by the same.
    pub fn test(&self) -> Option<MeansDiffer> {
        corrected_t(&self.differences, self.ratio)
    }
}

/// The test rows of a cross-validation over its training rows, as they are stored with its runs: dev rows are neither. In records without
/// them as if there were no dev rows: of k folds one is for testing, and k − 1 are for training.
fn ratio(side: &MeasuredSide<'_>) -> Option<f64> {
    let sizes: Option<Vec<_>> = side.runs.iter().map(|(run, _)| run.run.size.as_ref()).collect();
    let (mut test, mut train) = (0, 0);
    for size in sizes.into_iter().flatten() {
        (test, train) = (test + size.test_rows, train + size.train_rows);
    }
    match (test, train) {
        (0, _) | (_, 0) => Some(1.0 / f64::from(side.side.folds()?.checked_sub(1).filter(|others| *others > 0)?)),
        (test, train) => Some(test as f64 / train as f64),
    }
}

/// Whether each fold that both have was tested on the same rows, or why this is not known.
pub fn have_same_folds(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>, split: Split) -> Result<bool, &'static str> {
    let digest = |side: &MeasuredSide<'_>| {
        side.side.records().find_map(|run| run.environment.as_ref().map(|e| e.data_digest.clone()))
    };
    if digest(first) != digest(other) {
        return Ok(false);
    }
    are_stored(first, split)?;
    are_stored(other, split)?;
    let (a, b) = (rows_of_folds(first), rows_of_folds(other));
    Ok(a.iter().all(|(fold, rows)| b.get(fold).is_none_or(|other| are_same(rows, other))))
}

/// The rows of each fold; all seeds have the same ones.
fn rows_of_folds<'a>(side: &MeasuredSide<'a>) -> BTreeMap<u32, Vec<&'a PredictionRecord>> {
    let mut rows = BTreeMap::new();
    for (run, _) in &side.runs {
        let Some(fold) = run.run.config.data.fold else { continue };
        rows.entry(fold.number()).or_insert_with(|| by_row(&[run]));
    }
    rows
}
