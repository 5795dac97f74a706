//! Cross-validation: what the held-out folds of a trial say together. Pure functions of records.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    fold_rows::{FoldRows, complete, in_order, pooled, result, with_rows},
    input::RunInput,
    means::{Mean, mean, mean_of},
    terms::Terms,
};
use crate::report::language::{counted, tr};
use crate::{
    event::{Split, When},
    format::by_number,
    metrics::{Metric, Metrics},
    store::{EvalRecord, PredictionRecord, RunRecord},
};

/// The result of a trial in a cross-validation. Each row is predicted once for each seed, by the model whose test fold contains it; a seed
/// counts only once all its folds are completed.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// The two metrics of the task that it has.
    pub metrics: [Metric; 2],
    /// The number of folds.
    pub folds: usize,
    /// The planned seeds.
    pub seeds: usize,
    /// Those of them whose folds are all completed.
    pub complete: usize,
    /// Completed runs, each of one fold of one seed.
    pub completed: usize,
    /// Rows of all folds together.
    pub rows: Option<u64>,
    /// The first metric on all folds together: the mean over the complete seeds.
    pub first: Option<Mean>,
    /// The second metric on all folds together, likewise.
    pub second: Option<Mean>,
    /// The metric that ranks trials, on all folds together, likewise.
    pub ranking: (Metric, Option<Mean>),
    /// Mean of the first metric of the single folds.
    pub mean_first: Option<Mean>,
    /// Mean of the second metric of the single folds.
    pub mean_second: Option<Mean>,
}

impl Serialize for OutOfFold {
    /// The fields of metrics are called after them: `accuracy`, `macro_f1`, `mean_accuracy`, `mean_macro_f1`; the metric that ranks, if it is
    /// neither, `average_precision`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [first, second] = self.metrics.map(|metric| metric.info().id);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("folds", &self.folds)?;
        map.serialize_entry("seeds", &self.seeds)?;
        map.serialize_entry("complete", &self.complete)?;
        map.serialize_entry("completed", &self.completed)?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry(first, &self.first)?;
        map.serialize_entry(second, &self.second)?;
        if !self.metrics.contains(&self.ranking.0) {
            map.serialize_entry(self.ranking.0.info().id, &self.ranking.1)?;
        }
        map.serialize_entry(&format!("mean_{first}"), &self.mean_first)?;
        map.serialize_entry(&format!("mean_{second}"), &self.mean_second)?;
        map.end()
    }
}

impl OutOfFold {
    /// The result of the runs of a trial that was planned on all folds, of which `planned` runs were planned, where `ranking` ranks trials;
    /// `None` without folds.
    pub(super) fn of(runs: &[&RunRecord], planned: usize, ranking: Metric, rows: &FoldRows) -> Option<Self> {
        let folds = runs.iter().find_map(|run| run.config.data.fold)?.of() as usize;
        let terms = Terms::of(runs.iter().copied());
        let pooled: Vec<Metrics> =
            complete(runs).iter().filter_map(|set| rows.together(set.iter().map(|&i| runs[i]))).collect();
        let all: Vec<&Metrics> = pooled.iter().collect();
        let single: Vec<(&RunRecord, &Metrics)> = runs.iter().filter_map(|run| Some((*run, result(run)?))).collect();
        Some(Self {
            metrics: [terms.first, terms.second],
            folds,
            seeds: planned.div_ceil(folds),
            complete: all.len(),
            completed: single.len(),
            rows: all.first().map(|metrics| metrics.rows),
            first: mean(&all, terms.first),
            second: mean(&all, terms.second),
            ranking: (ranking, mean(&all, ranking)),
            mean_first: mean_over_folds(&single, terms.first),
            mean_second: mean_over_folds(&single, terms.second),
        })
    }

    /// How many folds are completed, if not all are: `3 of 5 folds`.
    pub fn incomplete(&self) -> Option<String> {
        let planned = self.folds * self.seeds;
        let what = if self.seeds > 1 { tr("runs", "次运行") } else { tr("folds", "折") };
        (self.completed < planned).then(|| tr!("{} of {planned} {what}", "{}/{planned} {what}", self.completed))
    }

    /// What that means for the result, in a sentence without a full stop.
    pub(super) fn while_incomplete(&self) -> Option<String> {
        let is = by_number(self.completed as u64, "is", "are");
        let means = match self.complete {
            0 => tr("metrics of all folds together need all of them", "所有折合在一起的指标需要全部折").to_owned(),
            some => tr!(
                "the out-of-fold result is that of {some} of {}",
                "折外结果是 {}中 {some} 个种子的结果",
                counted(self.seeds as u64, "seed")
            ),
        };
        Some(tr!("{} {is} completed; {means}", self.incomplete()?; "{}已完成；{means}", self.incomplete()?))
    }
}

/// The mean of a metric over folds, each with the mean over its seeds: runs of one fold have the same rows, so that more seeds are no more
/// values. Unlike seeds, folds add rows: how much they differ includes what their rows are.
pub(super) fn mean_over_folds(runs: &[(&RunRecord, &Metrics)], by: Metric) -> Option<Mean> {
    let value = |(run, metrics): &(&RunRecord, &Metrics)| Some((run.config.data.fold?.number(), metrics.get(by)));
    mean_of(&of_each_fold(runs.iter().filter_map(value)), by)
}

/// The mean of the values of each fold, in the order of the folds.
fn of_each_fold(values: impl Iterator<Item = (u32, f64)>) -> Vec<f64> {
    let mut folds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (fold, value) in values.filter(|(_, value)| value.is_finite()) {
        folds.entry(fold).or_default().push(value);
    }
    folds.values().map(|values| values.iter().sum::<f64>() / values.len() as f64).collect()
}

/// The folds of one seed as if they were one run, whose test rows are those of all of them. Other measurements are those of `model`, one of
/// these runs.
pub(super) fn as_one(name: String, runs: &[&RunInput], model: &RunInput) -> Option<RunInput> {
    let mut one = RunInput { steps: Vec::new(), evals: Vec::new(), ..model.clone() };
    // Each fold has a decision of its own.
    one.run.decided = None;
    let mut predictions: Vec<PredictionRecord> = runs.iter().flat_map(|run| &run.predictions).cloned().collect();
    predictions.sort_by_key(|p| p.row);
    one.row_names = runs.iter().map(|run| &run.row_names).collect();
    one.before = runs.iter().flat_map(|run| &run.before).cloned().collect();
    one.before.sort_by_key(|p| p.row);
    let metrics = pooled(runs.iter().map(|run| &run.run))?;
    let metrics = with_rows(metrics, &model.run.labels, &in_order(predictions.iter()));
    let before: Vec<&Metrics> = runs.iter().filter_map(|run| run.before()).collect();
    if let Some(metrics) = Metrics::pooled(&before).filter(|_| before.len() == runs.len()) {
        let (when, split) = (When::Before, Split::Test);
        one.evals = vec![EvalRecord { when, step: 0, epoch: 0, split, metrics, elapsed_s: 0.0 }];
    }
    let counts: Option<Vec<&Vec<u64>>> = runs.iter().map(|run| run.run.train_labels.as_ref()).collect();
    one.run.train_labels = counts.and_then(|counts| {
        counts.into_iter().cloned().reduce(|sum, more| sum.iter().zip(more).map(|(a, b)| a + b).collect())
    });
    (one.run.name, one.run.final_metrics, one.predictions) = (name, Some(metrics), predictions);
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scipy 1.17, `stats.t.interval(0.95, 2, mean, stats.sem(x))` of the three means.
    #[test]
    fn the_seeds_of_a_fold_are_one_value() {
        let runs = [(1, 0.5), (2, 0.5), (3, 0.75), (1, 0.75), (2, f64::NAN), (3, 1.0)];
        let folds = of_each_fold(runs.into_iter());
        assert_eq!(folds, [0.625, 0.5, 0.875]);
        let mean = mean_of(&folds, Metric::MacroF1).unwrap();
        assert_eq!((mean.n, mean.mean, mean.rows), (3, 2.0 / 3.0, None));
        let (low, high) = (mean.low.unwrap(), mean.high.unwrap());
        // 1.14 above, which no share is.
        assert!((low - 0.1923437874670717).abs() < 1e-9 && high == 1.0, "{low} {high}");
    }
}
