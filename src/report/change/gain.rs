//! How much the first metric changed from before training to after it, on the same rows.

use super::{
    super::intervals::{MOST_ROWS, SEED, numbers, sets},
    rows::Row,
};
use crate::{
    stats::{Interval, Paired, RESAMPLES, paired_bootstrap},
    store::PredictionRecord,
    task::Task,
};

/// The change of the first metric of the task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gained {
    /// Its value after training minus that before.
    pub difference: f64,
    /// 95% interval of the difference.
    pub interval: Interval,
    /// p-value of McNemar's exact test, where each row has one label.
    pub p: Option<f64>,
}

/// That on these rows, of so many labels or columns. `None` without an interval: of sets and numbers with more than [`MOST_ROWS`] rows.
pub fn gained(rows: &[Row<'_>], task: Task, labels: usize) -> Option<Gained> {
    if task == Task::SingleLabel {
        let counts = Paired::count(rows.iter().map(|row| (row.is_right(), row.was_right())));
        let (difference, interval) = counts.difference()?;
        return Some(Gained { difference, interval, p: Some(counts.mcnemar()) });
    }
    if rows.len() > MOST_ROWS {
        return None;
    }
    // The metrics need the targets and what is predicted, not the texts.
    let before = |row: &Row<'_>| PredictionRecord {
        row: row.after.row,
        line: row.after.line,
        text: String::new(),
        text_pair: None,
        label: row.after.label.clone(),
        predicted: row.before.predicted.clone(),
        probabilities: row.before.probabilities.clone(),
    };
    let before: Vec<PredictionRecord> = rows.iter().map(before).collect();
    let before: Vec<&PredictionRecord> = before.iter().collect();
    let after: Vec<&PredictionRecord> = rows.iter().map(|row| row.after).collect();
    match task {
        Task::Regression => resampled(rows.len(), numbers(&after, labels), numbers(&before, labels)),
        _ => resampled(rows.len(), sets(&after, labels), sets(&before, labels)),
    }
}

fn resampled(
    rows: usize,
    mut after: impl FnMut(&[u32]) -> [f64; 2],
    mut before: impl FnMut(&[u32]) -> [f64; 2],
) -> Option<Gained> {
    let all = vec![1; rows];
    let difference = after(&all)[0] - before(&all)[0];
    let [interval, _] = paired_bootstrap(&vec![0; rows], RESAMPLES, SEED, after, before);
    Some(Gained { difference, interval: interval?, p: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::PredictionBefore,
        metrics::{Probabilities, Target},
    };

    /// (true, before, after) of each row.
    fn of(rows: &[(Target, Target, Target)], task: Task, labels: usize) -> Option<Gained> {
        let none = || Probabilities::from(Vec::new());
        let stored: Vec<(PredictionBefore, PredictionRecord)> = (0u32..)
            .zip(rows)
            .map(|(row, (label, before, after))| {
                let before = PredictionBefore { row, predicted: before.clone(), probabilities: none() };
                let (text, text_pair, line) = (String::new(), None, 1);
                let (label, predicted) = (label.clone(), after.clone());
                (before, PredictionRecord { row, line, text, text_pair, label, predicted, probabilities: none() })
            })
            .collect();
        let rows: Vec<Row<'_>> = stored.iter().map(|(before, after)| Row { before, after }).collect();
        gained(&rows, task, labels)
    }

    /// 50 of 100 rows right before and 58 after. Expected: the formula of Agresti and Min in numpy, scipy 1.17 `binomtest(0, 8)`.
    #[test]
    fn labels_are_compared_row_by_row() {
        let label = |right: bool| Target::Label(u32::from(right));
        let rows: Vec<_> = (0..100).map(|i| (label(true), label(i < 50), label(i < 58))).collect();
        let got = of(&rows, Task::SingleLabel, 2).unwrap();
        assert!((got.difference - 0.08).abs() < 1e-12 && (got.p.unwrap() - 0.0078125).abs() < 1e-12, "{got:?}");
        assert!((got.interval.low - 0.02283).abs() < 1e-4 && (got.interval.high - 0.13403).abs() < 1e-4, "{got:?}");
    }

    /// All errors are 1 after training; before, half of 100 are 3. The RMSE before is √(1 + 8 k / 100), with k of Binomial(100, 0.5), whose 2.5%
    /// and 97.5% quantiles are 40 and 60 (scipy 1.17); those of 1,000 resamples are at most 1 off.
    #[test]
    fn the_values_before_training_vary_with_the_rows() {
        let number = |value: f64| Target::values(vec![value]);
        let rows: Vec<_> = (0..100)
            .map(|i| {
                let value = f64::from(i);
                (number(value), number(value + if i < 50 { 3.0 } else { 1.0 }), number(value - 1.0))
            })
            .collect();
        let got = of(&rows, Task::Regression, 1).unwrap();
        let with = |k: f64| 1.0 - (1.0 + 0.08 * k).sqrt();
        assert!((got.difference - with(50.0)).abs() < 1e-12 && got.p.is_none(), "{got:?}");
        let (low, high) = (got.interval.low, got.interval.high);
        assert!(low > with(61.5) && low < with(58.5) && high > with(41.5) && high < with(38.5), "{got:?}");
    }

    /// Of one label the macro-F1 is its F1: 1 after training; before, 2 · 50 / (50 + 100) with half of 100 rows found.
    #[test]
    fn sets_are_compared_by_macro_f1() {
        let set = |has: bool| Target::labels(if has { vec![0] } else { Vec::new() });
        let rows: Vec<_> = (0..100).map(|i| (set(true), set(i < 50), set(true))).collect();
        let got = of(&rows, Task::MultiLabel, 1).unwrap();
        let with = |k: f64| 1.0 - 2.0 * k / (k + 100.0);
        assert!((got.difference - with(50.0)).abs() < 1e-12, "{got:?}");
        let (low, high) = (got.interval.low, got.interval.high);
        assert!(low > with(61.5) && low < with(58.5) && high > with(41.5) && high < with(38.5), "{got:?}");
    }
}
