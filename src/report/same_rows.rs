//! Compares two runs, or two sets of folds, row by row. Pure functions of the predictions.

use super::{
    input::RunInput,
    intervals::{MOST_ROWS, SEED},
    terms::Terms,
};
use crate::report::language::tr;
use crate::{
    metrics::Target,
    stats::{FLIPS, Interval, Paired, RESAMPLES, SignFlip, bootstrap, sign_flip},
    store::PredictionRecord,
    task::Task,
};

/// What the same rows say of two.
pub enum OnSameRows {
    /// How many rows each was right on.
    Right(Paired),
    /// Of each row an error, of which lower values are better.
    Errors {
        /// The number of rows.
        rows: u64,
        /// The test of the mean of the first minus that of the second.
        test: SignFlip,
        /// 95% percentile bootstrap interval of this difference; `None` with more than [`MOST_ROWS`] rows.
        interval: Option<Interval>,
    },
}

/// Compares two. Both must have been evaluated on the same rows.
pub fn compared(a: &[&RunInput], b: &[&RunInput]) -> Result<OnSameRows, &'static str> {
    if a.iter().chain(b).any(|run| run.predictions.is_empty()) {
        return Err(tr("the predictions of one of them are not stored", "其中一方没有存储预测"));
    }
    let both = || a.iter().chain(b).map(|run| &run.run);
    let terms = Terms::of(both());
    let labels = both().map(|run| run.labels.len()).max().unwrap_or(0);
    if both().any(|run| run.config.data.task() != terms.task) {
        return Err(tr("they are of different problem types", "两者的任务类型不同"));
    }
    let (a, b) = (by_row(a), by_row(b));
    if !are_same(&a, &b) {
        return Err(tr("they were evaluated on different rows", "两者在不同的行上评测"));
    }
    if terms.is_single() {
        let right = |p: &PredictionRecord| p.label == p.predicted;
        return Ok(OnSameRows::Right(Paired::count(a.iter().zip(&b).map(|(x, y)| (right(x), right(y))))));
    }
    let differences: Vec<f64> =
        a.iter().zip(&b).map(|(x, y)| error(terms.task, x, labels) - error(terms.task, y, labels)).collect();
    let test = sign_flip(&differences, FLIPS, SEED).ok_or(tr("a prediction is not a number", "有的预测不是数值"))?;
    let interval = (differences.len() <= MOST_ROWS).then(|| {
        let mean = |drawn: &[u32]| {
            [drawn.iter().zip(&differences).map(|(n, d)| f64::from(*n) * d).sum::<f64>() / differences.len() as f64]
        };
        bootstrap(differences.len(), RESAMPLES, SEED, mean)[0]
    });
    Ok(OnSameRows::Errors { rows: differences.len() as u64, test, interval: interval.flatten() })
}

/// Whether two lists of predictions, in the order of their rows, are of the same rows of the same file.
pub fn are_same(a: &[&PredictionRecord], b: &[&PredictionRecord]) -> bool {
    let of = |p: &PredictionRecord| (p.row, p.line);
    let same = |x: &PredictionRecord, y: &PredictionRecord| of(x) == of(y) && x.label == y.label && x.text == y.text;
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y))
}

/// What [`error`] is, of each row and of all rows on average.
pub fn error_names(task: Task) -> (&'static str, &'static str) {
    match task {
        Task::SingleLabel | Task::MultiLabel => {
            (tr("the Hamming loss of each row", "每一行的汉明损失"), tr("Hamming losses", "汉明损失"))
        }
        Task::Regression => {
            (tr("the squared error of each row", "每一行的平方误差"), tr("mean squared errors", "均方误差"))
        }
    }
}

/// The error of a row: of sets of `labels` labels the share that is predicted wrongly (its Hamming loss, which every row has, unlike an
/// F1), of numbers the mean of the squared errors of its columns.
pub fn error(task: Task, p: &PredictionRecord, labels: usize) -> f64 {
    match (task, &p.label, &p.predicted) {
        (Task::Regression, Target::Values(values), Target::Values(predicted)) => {
            let squares = values.iter().zip(predicted.iter()).map(|(value, predicted)| (value - predicted).powi(2));
            squares.sum::<f64>() / values.len() as f64
        }
        _ => wrong_cells(p) as f64 / labels.max(1) as f64,
    }
}

/// How many labels of a row are predicted wrongly: missed or added.
pub fn wrong_cells(p: &PredictionRecord) -> usize {
    let (labels, predicted) = (p.label.ids(), p.predicted.ids());
    let both = predicted.iter().filter(|id| labels.binary_search(id).is_ok()).count();
    labels.len() + predicted.len() - 2 * both
}

/// The predictions in the order of the rows.
pub fn by_row<'a>(runs: &[&'a RunInput]) -> Vec<&'a PredictionRecord> {
    let mut rows: Vec<&PredictionRecord> = runs.iter().flat_map(|run| &run.predictions).collect();
    rows.sort_by_key(|p| (p.row, p.line));
    rows
}
