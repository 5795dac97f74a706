//! Every metric of the sides, with intervals of the differences.

use serde::Serialize;

use super::{
    answers::Answers,
    finding::{Finding, differ_over_seeds},
    measured::{Measured, MeasuredSide},
    over_folds::OverFolds,
    texts::texts,
};
use crate::report::language::tr;
use crate::{
    metrics::{Confusion, Metric, Metrics},
    report::{
        intervals::{MOST_ROWS, SEED, numbers, sets},
        same_rows::wrong_cells,
        terms::is_share_of_rows,
    },
    stats::{Interval, RESAMPLES, paired_bootstrap},
    store::PredictionRecord,
    task::Task,
};

/// A metric of all sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRow {
    /// The metric.
    pub metric: Metric,
    /// Its value for each side, in the metric's unit: of several runs their mean.
    pub values: Vec<f64>,
    /// For each side but the first, its difference from the first.
    pub differences: Vec<Difference>,
}

impl MetricRow {
    /// Its values and its differences as text: they add up.
    pub fn texts(&self) -> [Vec<String>; 2] {
        texts(self.metric, &self.values, &self.differences.iter().map(|of| of.difference).collect::<Vec<_>>())
    }
}

/// The difference of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The value of that side minus that of the first, in the metric's unit.
    pub difference: f64,
    /// Its 95% interval; `None` where it is not known.
    pub interval: Option<Interval>,
    /// The method of the interval.
    pub method: Option<&'static str>,
}

/// Metrics of one label that are resampled: from the confusion matrix, then means over rows.
const OF_LABEL: [Metric; 10] = [
    Metric::MacroF1,
    Metric::BalancedAccuracy,
    Metric::MacroPrecision,
    Metric::MacroRecall,
    Metric::WeightedPrecision,
    Metric::WeightedRecall,
    Metric::WeightedF1,
    Metric::Mcc,
    Metric::QuadraticKappa,
    Metric::Loss,
];
/// Those of sets of labels: F1, then means over rows.
const OF_SETS: [Metric; 5] =
    [Metric::MacroF1, Metric::MicroF1, Metric::SubsetAccuracy, Metric::HammingLoss, Metric::Loss];
/// Those of numbers, then means over rows.
const OF_NUMBERS: [Metric; 5] = [Metric::Rmse, Metric::R2, Metric::Mse, Metric::Mae, Metric::Loss];

/// How far a metric of the stored predictions may be from the stored metric: of single precision.
const NEAR: f64 = 1e-5;

/// The metrics that a terminal has room for: the two of the task, those by which weights were chosen, the loss, and a few that say something else.
fn main_metrics(measured: &Measured<'_>) -> Vec<Metric> {
    let others: &[Metric] = match measured.terms.task {
        Task::SingleLabel => &[Metric::Mcc, Metric::RocAuc, Metric::CalibrationError],
        Task::MultiLabel => &[Metric::SubsetAccuracy, Metric::HammingLoss, Metric::AveragePrecision],
        Task::Regression => &[Metric::Mae, Metric::Spearman],
    };
    let chosen_by = measured.sides.iter().flat_map(|side| side.side.records()).map(|run| run.config.checkpoint.metric);
    let all = [measured.terms.first, measured.terms.second].into_iter().chain(chosen_by).chain([Metric::Loss]);
    let mut main: Vec<Metric> = Vec::new();
    for metric in all.chain(others.iter().copied()) {
        if !main.contains(&metric) {
            main.push(metric);
        }
    }
    main
}

/// All metrics that every side has, the main ones first, and how many these are. `findings` are those of all sides but the first.
pub fn metric_rows(measured: &Measured<'_>, findings: &[Finding]) -> (Vec<MetricRow>, usize) {
    let has = |metric: &Metric| measured.sides.iter().all(|side| side.mean(*metric).is_finite());
    let main = main_metrics(measured);
    let others = Metric::ALL.into_iter().filter(|metric| !main.contains(metric));
    let metrics: Vec<Metric> = main.iter().copied().chain(others).filter(has).collect();
    let first = &measured.sides[0];
    let resampled: Vec<Vec<(Metric, Interval)>> =
        measured.sides[1..].iter().zip(findings).map(|(side, finding)| intervals(measured, side, finding)).collect();
    // Recall weighted by the rows of each label is the share of rows that are right.
    let of_rows = |metric: Metric| {
        is_share_of_rows(metric) || (measured.terms.task == Task::SingleLabel && metric == Metric::WeightedRecall)
    };
    let difference = |metric: Metric, i: usize| {
        let other = &measured.sides[i + 1];
        let own = || resampled[i].iter().find(|(of, _)| *of == metric).map(|(_, interval)| *interval);
        // Over the folds of both sides in which the metric is defined.
        let over_folds = match &findings[i] {
            Finding::Folds(..) => OverFolds::of(first, other, metric),
            _ => None,
        };
        let (interval, method) = match &findings[i] {
            Finding::Right(paired) if of_rows(metric) => {
                (paired.difference().map(|(_, interval)| interval), tr("Agresti and Min", "Agresti 和 Min"))
            }
            Finding::OtherRows(shares, _) if of_rows(metric) => {
                (Some(shares.interval), tr("Newcombe, from two Wilson intervals", "Newcombe，由两个威尔逊区间得出"))
            }
            Finding::Seeds(..) => {
                (differ_over_seeds(first, other, metric).map(|d| d.interval), tr("Welch", "韦尔奇（Welch）"))
            }
            Finding::Folds(..) => (
                over_folds.as_ref().and_then(OverFolds::test).map(|d| d.interval),
                tr("Nadeau and Bengio", "Nadeau 和 Bengio"),
            ),
            _ => (own(), tr("paired bootstrap", "配对自助法（bootstrap）")),
        };
        let method = interval.map(|_| method);
        let difference = over_folds.map_or_else(|| other.mean(metric) - first.mean(metric), |over| over.difference());
        Difference { difference, interval, method }
    };
    let row = |metric: Metric| MetricRow {
        metric,
        values: measured.sides.iter().map(|side| side.mean(metric)).collect(),
        differences: (0..findings.len()).map(|i| difference(metric, i)).collect(),
    };
    let of_main = metrics.iter().filter(|metric| main.contains(metric)).count();
    (metrics.into_iter().map(row).collect(), of_main)
}

/// Paired bootstrap intervals of two runs on the same rows.
fn intervals(measured: &Measured<'_>, other: &MeasuredSide<'_>, finding: &Finding) -> Vec<(Metric, Interval)> {
    if !matches!(finding, Finding::Right(_) | Finding::Errors { .. }) {
        return Vec::new();
    }
    let sides = [other, &measured.sides[0]];
    let [Ok(b), Ok(a)] = sides.map(|side| Answers::of(side, measured.split)) else { return Vec::new() };
    let ([b], [a]) = (&b.seeds[..], &a.seeds[..]) else { return Vec::new() };
    if a.len() > MOST_ROWS {
        return Vec::new();
    }
    let Some((run, _)) = other.only() else { return Vec::new() };
    let names = &run.run.labels;
    let stored = |metric: Metric| sides.map(|side| side.mean(metric));
    match measured.terms.task {
        // Each sample has as many rows of each label: means over labels stay defined.
        Task::SingleLabel => {
            let strata: Vec<u32> = a.iter().map(|p| p.label.label().unwrap_or(0)).collect();
            let of = |rows| of_label(rows, names);
            checked(OF_LABEL, stored, [b, a], &strata, of)
        }
        Task::MultiLabel => checked(OF_SETS, stored, [b, a], &vec![0; a.len()], |rows| of_sets(rows, names.len())),
        Task::Regression => {
            checked(OF_NUMBERS, stored, [b, a], &vec![0; a.len()], |rows| of_numbers(rows, names.len()))
        }
    }
}

/// The intervals of those metrics whose value of the stored predictions is the stored one: of many labels only the most probable ones are
/// stored. A difference that no sample changes has none: if each side predicts a single label, samples with as many rows of each label are all
/// alike, which does not make the difference certain.
fn checked<'a, const N: usize, S: FnMut(&[u32]) -> [f64; N]>(
    metrics: [Metric; N],
    stored: impl Fn(Metric) -> [f64; 2],
    [b, a]: [&'a Vec<&'a PredictionRecord>; 2],
    strata: &[u32],
    statistic: impl Fn(&'a [&'a PredictionRecord]) -> S,
) -> Vec<(Metric, Interval)> {
    let (mut of_b, mut of_a) = (statistic(b), statistic(a));
    let once = vec![1; a.len()];
    let values = [of_b(&once), of_a(&once)];
    let intervals = paired_bootstrap(strata, RESAMPLES, SEED, of_b, of_a);
    let is_stored = |i: usize| {
        let stored = stored(metrics[i]);
        (0..2).all(|side| (values[side][i] - stored[side]).abs() <= NEAR * stored[side].abs().max(1.0))
    };
    let varies = |interval: &Interval, i: usize| interval.low < interval.high || values[0][i] == values[1][i];
    let known = |i: usize| Some((metrics[i], intervals[i].filter(|interval| varies(interval, i))?));
    (0..N).filter(|&i| is_stored(i)).filter_map(known).collect()
}

fn of_label<'a>(rows: &'a [&'a PredictionRecord], names: &'a [String]) -> impl FnMut(&[u32]) -> [f64; 10] + 'a {
    let loss = |p: &&PredictionRecord| {
        let own = p.label.label().and_then(|label| p.probabilities.get(label));
        own.map_or(f64::NAN, |probability| -f64::from(probability).ln())
    };
    let losses: Vec<f64> = rows.iter().map(loss).collect();
    // The cells of the matrix that occur, and the one of each row: rows are counted many times.
    let cell = |p: &&PredictionRecord| p.label.label().zip(p.predicted.label());
    let mut cells: Vec<(u32, u32)> = rows.iter().filter_map(cell).collect();
    cells.sort_unstable();
    cells.dedup();
    let of_row: Vec<Option<usize>> =
        rows.iter().map(|p| cell(p).and_then(|cell| cells.binary_search(&cell).ok())).collect();
    let mut counts = vec![0u64; cells.len()];
    move |drawn| {
        counts.fill(0);
        of_row
            .iter()
            .zip(drawn)
            .filter_map(|(at, n)| Some(((*at)?, n)))
            .for_each(|(at, n)| counts[at] += u64::from(*n));
        let mut confusion = Confusion::new(names.len());
        cells.iter().zip(&counts).for_each(|(&(label, predicted), n)| confusion.add(label, predicted, *n));
        let metrics = Metrics::of_confusion(names, confusion);
        OF_LABEL.map(|metric| match metric {
            Metric::Loss => weighted_mean(drawn, &losses),
            metric => metrics.get(metric),
        })
    }
}

fn of_sets<'a>(rows: &'a [&'a PredictionRecord], labels: usize) -> impl FnMut(&[u32]) -> [f64; 5] + 'a {
    let exact: Vec<f64> = rows.iter().map(|p| f64::from(u8::from(p.label == p.predicted))).collect();
    let share = |cells: usize| cells as f64 / labels.max(1) as f64;
    let wrong: Vec<f64> = rows.iter().map(|p| share(wrong_cells(p))).collect();
    // Binary cross-entropy; of many labels only some probabilities are stored.
    let loss = |p: &&PredictionRecord| {
        let cell = |(id, probability): (u32, f32)| {
            let has = p.label.ids().binary_search(&id).is_ok();
            -f64::from(if has { probability } else { 1.0 - probability }).ln()
        };
        p.probabilities.iter().map(cell).sum::<f64>() / labels.max(1) as f64
    };
    let losses: Vec<f64> = rows.iter().map(loss).collect();
    let mut f1 = sets(rows, labels);
    move |drawn| {
        let [of_labels, of_all] = f1(drawn);
        let [exact, wrong, loss] = [&exact, &wrong, &losses].map(|values| weighted_mean(drawn, values));
        [of_labels, of_all, exact, wrong, loss]
    }
}

fn of_numbers<'a>(rows: &'a [&'a PredictionRecord], columns: usize) -> impl FnMut(&[u32]) -> [f64; 5] + 'a {
    let mean = |p: &&PredictionRecord, of: fn(f64) -> f64| {
        let errors = p.label.numbers().iter().zip(p.predicted.numbers()).map(|(value, said)| of(said - value));
        errors.sum::<f64>() / p.label.numbers().len() as f64
    };
    let squares: Vec<f64> = rows.iter().map(|p| mean(p, |error| error * error)).collect();
    let sizes: Vec<f64> = rows.iter().map(|p| mean(p, f64::abs)).collect();
    let mut both = numbers(rows, columns);
    move |drawn| {
        let [rmse, r2] = both(drawn);
        let [squares, sizes] = [&squares, &sizes].map(|values| weighted_mean(drawn, values));
        // The loss of numbers is their mean squared error.
        [rmse, r2, squares, sizes, squares]
    }
}

fn weighted_mean(drawn: &[u32], values: &[f64]) -> f64 {
    drawn.iter().zip(values).map(|(n, value)| f64::from(*n) * value).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Target;

    /// 58 rows of label 0 and 62 of label 1, which one side calls all 0 and the other all 1.
    #[test]
    fn a_difference_that_no_sample_changes_has_no_interval() {
        let row = |i: u32, predicted: u32| PredictionRecord {
            row: i,
            line: u64::from(i) + 2,
            text: String::new(),
            text_pair: None,
            label: Target::Label(u32::from(i >= 58)),
            predicted: Target::Label(predicted),
            probabilities: vec![0.5, 0.5].into(),
        };
        let [zeros, ones] = [0, 1].map(|label| (0..120).map(|i| row(i, label)).collect::<Vec<_>>());
        let [a, b] = [&zeros, &ones].map(|rows| rows.iter().collect::<Vec<_>>());
        let names = ["no".to_string(), "yes".to_string()];
        let value = |rows: &[&PredictionRecord], metric: Metric| {
            let at = OF_LABEL.iter().position(|of| *of == metric).unwrap();
            of_label(rows, &names)(&[1; 120])[at]
        };
        let strata: Vec<u32> = (0..120).map(|i| u32::from(i >= 58)).collect();
        let of = |b: &Vec<_>, a: &Vec<_>| {
            let stored = |metric: Metric| [value(b, metric), value(a, metric)];
            checked(OF_LABEL, stored, [b, a], &strata, |rows| of_label(rows, &names))
        };
        // Macro-F1 of 0.5 × 116/178 and 0.5 × 124/182: no sample with as many rows of each label has others.
        assert!((value(&a, Metric::MacroF1) - 58.0 / 178.0).abs() < 1e-12);
        assert!((value(&b, Metric::MacroF1) - 62.0 / 182.0).abs() < 1e-12);
        assert!(of(&b, &a).iter().all(|(metric, _)| *metric != Metric::MacroF1));
        // Of two that say the same, the difference is 0 in every sample.
        let same = of(&a, &a);
        assert!(same.contains(&(Metric::MacroF1, Interval { low: 0.0, high: 0.0 })), "{same:?}");
    }
}
