//! Intervals of the metrics of one run over its rows.

use std::borrow::Borrow;

use super::{format::with_interval, input::RunInput, terms::Terms};
use crate::report::language::tr;
use crate::{
    metrics::{Counts, Metrics, Target},
    stats::{Interval, RESAMPLES, bootstrap, wilson},
    store::PredictionRecord,
    task::Task,
};

/// With more rows than this, intervals are not resampled: that would take longer than the rest of the report.
pub const MOST_ROWS: usize = 20_000;
/// Seed of the resamples.
pub const SEED: u64 = 0;

/// 95% intervals of the first and of the second metric of the task.
pub type Intervals = [Option<Interval>; 2];

/// Those of a run: of accuracy Wilson's; of other metrics percentile bootstrap intervals from the stored predictions. `None` where the
/// predictions are not stored or more than [`MOST_ROWS`].
pub fn over_rows(run: &RunInput) -> Intervals {
    let Some(metrics) = &run.run.final_metrics else { return [None; 2] };
    let rows = &run.predictions;
    let can = rows.len() as u64 == metrics.rows && !is_too_long(run);
    match Terms::of_run(&run.run).task {
        Task::SingleLabel => [Some(wilson(metrics.right(), metrics.rows)), None],
        Task::MultiLabel if can => of_sets(rows, run.run.labels.len()),
        Task::Regression if can => of_numbers(rows, run.run.labels.len()),
        Task::MultiLabel | Task::Regression => [None; 2],
    }
}

/// Whether a run has too many rows for resampling.
pub fn is_too_long(run: &RunInput) -> bool {
    run.predictions.len() > MOST_ROWS && !Terms::of_run(&run.run).is_single()
}

/// Explains where they come from.
pub fn explained() -> String {
    tr!(
        "percentile bootstrap (Efron and Tibshirani 1993): {} resamples of the rows with a fixed seed",
        "百分位自助法（percentile bootstrap，Efron 和 Tibshirani 1993）：以固定种子对各行重抽样 {} 次",
        super::format::count(RESAMPLES as u64)
    )
}

/// Macro-F1 and micro-F1.
fn of_sets(rows: &[PredictionRecord], labels: usize) -> Intervals {
    let rows: Vec<&PredictionRecord> = rows.iter().collect();
    bootstrap(rows.len(), RESAMPLES, SEED, sets(&rows, labels))
}

/// Macro-F1 and micro-F1 of rows that were drawn so many times each.
pub fn sets<'a>(rows: &'a [&'a PredictionRecord], labels: usize) -> impl FnMut(&[u32]) -> [f64; 2] + 'a {
    let mut counts = vec![Counts::default(); labels];
    move |drawn| {
        counts.fill(Counts::default());
        for (row, n) in rows.iter().zip(drawn).filter(|(_, n)| **n > 0) {
            let n = u64::from(*n);
            let (of_row, predicted) = (row.label.ids(), row.predicted.ids());
            let known = |id: &&u32| (**id as usize) < labels;
            of_row.iter().filter(known).for_each(|id| counts[*id as usize].support += n);
            for id in predicted.iter().filter(known) {
                counts[*id as usize].predicted += n;
                counts[*id as usize].right += if of_row.binary_search(id).is_ok() { n } else { 0 };
            }
        }
        let occurring = || counts.iter().filter(|label| label.occurs());
        let all = counts.iter().copied().fold(Counts::default(), Counts::plus);
        [occurring().map(|label| label.f1()).sum::<f64>() / occurring().count() as f64, all.f1()]
    }
}

/// RMSE and R², means over the columns.
fn of_numbers(rows: &[PredictionRecord], columns: usize) -> Intervals {
    let rows: Vec<&PredictionRecord> = rows.iter().collect();
    bootstrap(rows.len(), RESAMPLES, SEED, numbers(&rows, columns))
}

/// RMSE and R², means over the columns, of rows that were drawn so many times each.
pub fn numbers(rows: &[&PredictionRecord], columns: usize) -> impl FnMut(&[u32]) -> [f64; 2] + use<> {
    let columns: Vec<Vec<(f64, f64)>> = (0..columns).map(|column| centred(&column_of(rows, column))).collect();
    move |drawn| {
        let of_column = |column: &Vec<(f64, f64)>| {
            let weighted = || column.iter().zip(drawn).map(|((value, error), n)| (*value, *error, f64::from(*n)));
            let n: f64 = drawn.iter().map(|n| f64::from(*n)).sum();
            let squares: f64 = weighted().map(|(_, error, n)| n * error * error).sum();
            let mean = weighted().map(|(value, _, n)| n * value).sum::<f64>() / n;
            let spread: f64 = weighted().map(|(value, _, n)| n * (value - mean).powi(2)).sum();
            ((squares / n).sqrt(), 1.0 - squares / spread)
        };
        let all: Vec<(f64, f64)> = columns.iter().map(of_column).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        [mean(|column| column.0), mean(|column| column.1)]
    }
}

/// (value, predicted) of each row in one column; a number that a row lacks is NaN.
pub fn column_of<R: Borrow<PredictionRecord>>(rows: &[R], column: usize) -> Vec<(f64, f64)> {
    let number = |target: &Target| target.numbers().get(column).copied().unwrap_or(f64::NAN);
    rows.iter().map(Borrow::borrow).map(|row| (number(&row.label), number(&row.predicted))).collect()
}

/// (value from the first one, error) of each row.
fn centred(column: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let first = column.first().map_or(0.0, |row| row.0);
    column.iter().map(|(value, predicted)| (value - first, predicted - value)).collect()
}

/// The metrics of a run with the interval of each, as text: `91.3%` or `91.3% (90.1–92.4)`.
pub fn second_text(terms: Terms, metrics: &Metrics, intervals: &Intervals) -> String {
    let value = metrics.get(terms.second);
    match intervals[1] {
        Some(interval) => with_interval(terms.second, value, (interval.low, interval.high)),
        None => terms.second.text(value),
    }
}
