//! Sharing rows out between splits: by label, by the size of a number, or plainly.

use super::Dataset;
use crate::{random::Stream, task::Target};

/// The rows in a random order.
pub(super) fn shuffled(rows: &[u32], stream: Stream) -> Vec<u32> {
    stream.permutation(rows.len()).into_iter().map(|index| rows[index as usize]).collect()
}

/// Parts of equally many rows by which numbers are divided: from the lowest tenth of the values to the highest.
const BINS: usize = 10;

/// What the rows of a split are shared out by: their labels, the size of their numbers, or nothing. A plain split is a stratified one with a
/// single stratum.
pub(super) struct Strata<'a> {
    by: By<'a>,
    len: usize,
}

enum By<'a> {
    Nothing,
    /// The one label of a row.
    Label(&'a Dataset),
    /// Any number of labels; one more stratum has all rows.
    Labels(&'a Dataset),
    /// The part of the values, of each row in each column. Of several columns one more stratum has all rows.
    Bins(Vec<Vec<u32>>),
}

impl<'a> Strata<'a> {
    pub(super) fn new(dataset: &'a Dataset, stratify: bool) -> Self {
        let labels = dataset.labels.len();
        let (by, len) = match dataset.rows.first().map(|row| &row.target) {
            _ if !stratify => (By::Nothing, 1),
            None | Some(Target::Label(_)) => (By::Label(dataset), labels),
            Some(Target::Labels(_)) => (By::Labels(dataset), labels + 1),
            Some(Target::Values(values)) => {
                let columns: Vec<Vec<u32>> = (0..values.len()).map(|column| bins(dataset, column)).collect();
                let every = usize::from(columns.len() > 1);
                (By::Bins(columns), BINS * values.len() + every)
            }
        };
        Self { by, len }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether a row has any number of them, the last of which all rows have; otherwise it has one.
    pub(super) fn are_sets(&self) -> bool {
        match &self.by {
            By::Nothing | By::Label(_) => false,
            By::Labels(_) => true,
            By::Bins(columns) => columns.len() > 1,
        }
    }

    /// Calls `take` with each of a row.
    pub(super) fn each(&self, row: u32, mut take: impl FnMut(usize)) {
        let at = row as usize;
        match &self.by {
            By::Nothing => take(0),
            By::Label(dataset) => take(dataset.rows[at].target.label().map_or(0, |id| id as usize)),
            By::Labels(dataset) => dataset.rows[at].target.ids().iter().for_each(|id| take(*id as usize)),
            By::Bins(columns) => {
                columns.iter().enumerate().for_each(|(column, bins)| take(column * BINS + bins[at] as usize));
            }
        }
        if self.are_sets() {
            take(self.len - 1);
        }
    }

    /// That of a row, where each row has one.
    pub(super) fn of(&self, row: u32) -> usize {
        let mut of_row = 0;
        self.each(row, |stratum| of_row = stratum);
        of_row
    }

    /// How many of the rows are in each.
    pub(super) fn count(&self, rows: &[u32]) -> Vec<usize> {
        let mut counts = vec![0; self.len()];
        rows.iter().for_each(|&row| self.each(row, |stratum| counts[stratum] += 1));
        counts
    }

    /// How many rows of each a part of `total` rows should have, if there are so many of each.
    pub(super) fn shares(&self, total: usize, counts: &[usize]) -> Vec<usize> {
        match counts.last() {
            // Rows are in several, so that shares need not add up.
            Some(&rows) if self.are_sets() => {
                let share = |count: &usize| (*count as f64 * total as f64 / rows.max(1) as f64).round() as usize;
                counts.iter().map(share).collect()
            }
            _ => apportion(total, counts),
        }
    }
}

/// The part of the values of a column that each row is in: that of the share of the rows to be divided that have a lower value. Equal values
/// are in one part.
fn bins(dataset: &Dataset, column: usize) -> Vec<u32> {
    let value = |row: usize| dataset.rows[row].target.numbers()[column];
    let mut sorted: Vec<f64> = dataset.free_rows().into_iter().map(|row| value(row as usize)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let bin = |row: usize| {
        let lower = sorted.partition_point(|other| *other < value(row));
        (lower * BINS / sorted.len().max(1)).min(BINS - 1) as u32
    };
    (0..dataset.rows.len()).map(bin).collect()
}

/// Shares out `total` in proportion to `counts`, in whole numbers, by largest remainder; ties go to the first.
/// No share exceeds its count as long as `total` does not exceed their sum.
pub(super) fn apportion(total: usize, counts: &[usize]) -> Vec<usize> {
    let sum = counts.iter().sum::<usize>().max(1) as u128;
    let exact = |count: usize| total as u128 * count as u128;
    let mut shares: Vec<usize> = counts.iter().map(|&count| (exact(count) / sum) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&i| std::cmp::Reverse(exact(counts[i]) % sum)); // stable
    let missing = total - shares.iter().sum::<usize>();
    for &i in by_remainder.iter().take(missing) {
        shares[i] += 1;
    }
    shares
}
