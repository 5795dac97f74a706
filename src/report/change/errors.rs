//! The errors of predicted numbers before and after training.

use super::rows::Row;
use crate::metrics::Target;

/// A column of numbers before and after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnChange {
    /// Its id.
    pub id: usize,
    /// Before training.
    pub before: Errors,
    /// With the kept weights.
    pub after: Errors,
}

/// What the errors of a column amount to; NaN if it is undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Root mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Share of the variance of the numbers that is predicted.
    pub r2: f64,
}

/// (true, before, after) of each row in one column.
pub fn of_column(rows: &[Row<'_>], column: usize) -> Vec<(f64, f64, f64)> {
    let number = |target: &Target| target.numbers().get(column).copied().unwrap_or(f64::NAN);
    let of_row =
        |row: &Row<'_>| (number(&row.after.label), number(&row.before.predicted), number(&row.after.predicted));
    rows.iter().map(of_row).collect()
}

/// Every column of the run.
pub fn columns(rows: &[Row<'_>], columns: usize) -> Vec<ColumnChange> {
    let change = |id: usize| {
        let of = of_column(rows, id);
        ColumnChange {
            id,
            before: errors(of.iter().map(|(value, before, _)| (*value, *before))),
            after: errors(of.iter().map(|(value, _, after)| (*value, *after))),
        }
    };
    (0..columns).map(change).collect()
}

/// Of (true, predicted).
fn errors(rows: impl Iterator<Item = (f64, f64)> + Clone) -> Errors {
    let n = rows.clone().count() as f64;
    let mean = rows.clone().map(|(value, _)| value).sum::<f64>() / n;
    let spread: f64 = rows.clone().map(|(value, _)| (value - mean).powi(2)).sum();
    let squares: f64 = rows.clone().map(|(value, predicted)| (predicted - value).powi(2)).sum();
    let mae = rows.map(|(value, predicted)| (predicted - value).abs()).sum::<f64>() / n;
    let r2 = if spread > 0.0 { 1.0 - squares / spread } else { f64::NAN };
    Errors { rmse: (squares / n).sqrt(), mae, r2 }
}
