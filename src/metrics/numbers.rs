//! Metrics of predicted numbers.

use super::ranking::mean;

/// The sums over the rows of one column, from which its metrics are computed, in constant memory (Welford 1962). Numbers are counted from
/// the first ones, so that a large offset of all of them costs no digits.
#[derive(Debug, Clone, Default)]
pub struct Column {
    rows: f64,
    /// Means of the values and of the predictions, from the first ones.
    means: (f64, f64),
    /// Sums of the squared distances from the means.
    spread: (f64, f64),
    /// Sum of the products of both distances.
    together: f64,
    /// Sums of the squared and of the absolute errors.
    errors: (f64, f64),
    /// The first pair; whether all values, and all predictions, are equal to its.
    first: (f64, f64),
    constant: (bool, bool),
    /// Whether a number is NaN or infinite.
    broken: bool,
}

impl Column {
    /// Counts a row.
    pub fn add(&mut self, value: f64, predicted: f64) {
        if self.rows == 0.0 {
            (self.first, self.constant) = ((value, predicted), (true, true));
        }
        self.constant.0 &= value == self.first.0;
        self.constant.1 &= predicted == self.first.1;
        self.broken |= !(value.is_finite() && predicted.is_finite());
        self.rows += 1.0;
        let moved = (value - self.first.0, predicted - self.first.1);
        let before = (moved.0 - self.means.0, moved.1 - self.means.1);
        self.means.0 += before.0 / self.rows;
        self.means.1 += before.1 / self.rows;
        let after = (moved.0 - self.means.0, moved.1 - self.means.1);
        self.spread.0 += before.0 * after.0;
        self.spread.1 += before.1 * after.1;
        self.together += before.0 * after.1;
        let error = value - predicted;
        self.errors.0 += error * error;
        self.errors.1 += error.abs();
    }

    fn defined(&self, value: f64) -> f64 {
        if self.broken { f64::NAN } else { value }
    }

    /// Mean squared error: scikit-learn's `mean_squared_error`.
    pub fn mse(&self) -> f64 {
        self.defined(self.errors.0 / self.rows)
    }

    /// Mean absolute error: scikit-learn's `mean_absolute_error`.
    pub fn mae(&self) -> f64 {
        self.defined(self.errors.1 / self.rows)
    }

    /// Share of the variance that is predicted: scikit-learn's `r2_score(force_finite=False)`, but undefined if the values are constant.
    pub fn r2(&self) -> f64 {
        if self.constant.0 { f64::NAN } else { self.defined(1.0 - self.errors.0 / self.spread.0) }
    }

    /// Pearson's correlation: scipy's `pearsonr`. Undefined if the values or the predictions are constant.
    pub fn pearson(&self) -> f64 {
        if self.constant.0 || self.constant.1 || !self.together.is_finite() {
            return f64::NAN;
        }
        self.defined((self.together / (self.spread.0.sqrt() * self.spread.1.sqrt())).clamp(-1.0, 1.0))
    }
}

/// Means over the columns of predicted numbers. A value is NaN where that of a column is undefined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// See [`Column::mse`].
    pub mse: f64,
    /// The mean of the columns' root mean squared errors: scikit-learn's `root_mean_squared_error`.
    pub rmse: f64,
    /// See [`Column::mae`].
    pub mae: f64,
    /// See [`Column::r2`].
    pub r2: f64,
    /// See [`Column::pearson`].
    pub pearson: f64,
}

impl Errors {
    /// The errors over all columns.
    pub fn of(columns: &[Column]) -> Self {
        let over = |value: fn(&Column) -> f64| mean(columns.iter().map(value));
        Self {
            mse: over(Column::mse),
            rmse: over(|column| column.mse().sqrt()),
            mae: over(Column::mae),
            r2: over(Column::r2),
            pearson: over(Column::pearson),
        }
    }
}

/// Spearman's correlation of (value, prediction) of each row: scipy's `spearmanr`, Pearson's of the ranks, with the mean rank for equal
/// numbers. Undefined if the values or the predictions are constant or one is not finite.
pub fn spearman(rows: &[(f64, f64)]) -> f64 {
    if rows.iter().any(|(value, predicted)| !(value.is_finite() && predicted.is_finite())) {
        return f64::NAN;
    }
    let mut column = Column::default();
    let ranks = [ranks(rows.iter().map(|row| row.0)), ranks(rows.iter().map(|row| row.1))];
    ranks[0].iter().zip(&ranks[1]).for_each(|(value, predicted)| column.add(*value, *predicted));
    column.pearson()
}

/// The rank of each number, from 1; equal ones have the mean of theirs.
fn ranks(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<(f64, usize)> = numbers.zip(0..).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; sorted.len()];
    let mut before = 0;
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rank = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|(_, row)| ranks[*row] = rank);
        before += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_finite_makes_all_undefined() {
        for odd in [f64::NAN, f64::INFINITY] {
            let rows = [(1.0, 2.0), (2.0, odd), (4.0, 3.0)];
            let mut column = Column::default();
            rows.iter().for_each(|(value, predicted)| column.add(*value, *predicted));
            let errors = Errors::of(&[column]);
            for value in [errors.mse, errors.rmse, errors.mae, errors.r2, errors.pearson, spearman(&rows)] {
                assert!(value.is_nan(), "{errors:?}");
            }
        }
    }
}
