//! Two axes at a time: the mean of the trials with each combination of their values.

use super::{axes::Axis, points::Point};

/// The combinations of the values of two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct PairGrid {
    /// The axis of the rows.
    pub rows: usize,
    /// The axis of the columns.
    pub columns: usize,
    /// Of each row, and in it of each column, the mean and the number of trials; `None` where no trial counts.
    pub cells: Vec<Vec<Option<(f64, usize)>>>,
}

impl PairGrid {
    /// The grid of two axes.
    pub fn of(axes: &[Axis], (rows, columns): (usize, usize), points: &[Point]) -> Self {
        let (a, b) = (&axes[rows], &axes[columns]);
        let mut sums = vec![vec![(0.0, 0usize); b.levels.len()]; a.levels.len()];
        for point in points {
            let (sum, n) = &mut sums[a.level_of[point.group]][b.level_of[point.group]];
            (*sum, *n) = (*sum + point.mean.mean, *n + 1);
        }
        let cell = |(sum, n): (f64, usize)| (n > 0).then(|| (sum / n as f64, n));
        Self { rows, columns, cells: sums.into_iter().map(|row| row.into_iter().map(cell).collect()).collect() }
    }
}
