//! Sharing rows out between splits: by label, or plainly.

use super::Dataset;
use crate::random::Stream;

/// The rows in a random order.
pub(super) fn shuffled(rows: &[u32], stream: Stream) -> Vec<u32> {
    stream.permutation(rows.len()).into_iter().map(|index| rows[index as usize]).collect()
}

/// What the rows of a split are shared out by: their labels, or nothing. A plain split is a stratified one with a single stratum.
pub(super) struct Strata<'a>(Option<&'a Dataset>);

impl<'a> Strata<'a> {
    pub(super) fn new(dataset: &'a Dataset, stratify: bool) -> Self {
        Self(stratify.then_some(dataset))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.map_or(1, |dataset| dataset.labels.len())
    }

    /// That of a row.
    pub(super) fn of(&self, row: u32) -> usize {
        self.0.map_or(0, |dataset| dataset.rows[row as usize].target.label().map_or(0, |id| id as usize))
    }

    /// How many of the rows are in each.
    pub(super) fn count(&self, rows: &[u32]) -> Vec<usize> {
        let mut counts = vec![0; self.len()];
        rows.iter().for_each(|&row| counts[self.of(row)] += 1);
        counts
    }
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
