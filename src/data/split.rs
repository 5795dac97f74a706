//! Which rows train, choose and measure, and in which order they come.

use super::{DataConfig, DataError, Dataset, Splits, split_checks};
use crate::random::{Purpose, Stream};

/// Splits the rows: those that a file or a column assigns go to their split in file order, all others at random with `config.seed`.
///
/// Of n such rows the test split gets `round(n · test)`, the dev split `round(n · dev)`, the train split what is left. With
/// `config.stratify` each label's rows are divided in the same proportions, by largest remainder, and the sizes of
/// the splits stay the same.
///
/// # Errors
/// The train split is empty, or the test or dev split is although its share is not 0.
pub fn split(dataset: &Dataset, config: &DataConfig) -> Result<Splits, DataError> {
    let free = dataset.free_rows();
    let n = free.len();
    let size = |share: f64| (n as f64 * share).round() as usize;
    let shares = [("test", config.test.share()), ("dev", config.dev.share())];
    let [test, dev] = shares.map(|(_, share)| size(share));
    for ((split, share), rows) in shares.into_iter().zip([test, dev]) {
        if share > 0.0 && rows == 0 {
            return Err(DataError::EmptySplit { split, share, rows: n });
        }
    }
    if test.saturating_add(dev) >= n {
        return Err(DataError::NothingToTrain { rows: n, test, dev });
    }

    // A plain split is a stratified one with a single stratum.
    let stratum = |row: u32| if config.stratify { dataset.rows[row as usize].label() as usize } else { 0 };
    let order = Stream::new(config.seed, Purpose::Split, 0, 0).permutation(n);
    let order: Vec<u32> = order.into_iter().map(|index| free[index as usize]).collect();
    let mut left = vec![0; if config.stratify { dataset.labels.len() } else { 1 }];
    for &row in &order {
        left[stratum(row)] += 1;
    }
    let mut for_test = apportion(test, &left);
    left.iter_mut().zip(&for_test).for_each(|(left, taken)| *left -= taken);
    let mut for_dev = apportion(dev, &left);

    let mut splits = Splits { dev: dataset.dev.clone(), test: dataset.test.clone(), ..Splits::default() };
    for row in order {
        let stratum = stratum(row);
        if for_test[stratum] > 0 {
            for_test[stratum] -= 1;
            splits.test.push(row);
        } else if for_dev[stratum] > 0 {
            for_dev[stratum] -= 1;
            splits.dev.push(row);
        } else {
            splits.train.push(row);
        }
    }
    splits.warnings = split_checks::check(dataset, &splits, config);
    Ok(splits)
}

/// Shares out `total` in proportion to `counts`, in whole numbers, by largest remainder; ties go to the first.
/// No share exceeds its count as long as `total` does not exceed their sum.
fn apportion(total: usize, counts: &[usize]) -> Vec<usize> {
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

/// The order in which an epoch (from 1) visits the rows. It depends on seed and epoch alone.
pub fn epoch_order(rows: &[u32], seed: u64, epoch: u32) -> Vec<u32> {
    let order = Stream::new(seed, Purpose::Order, u64::from(epoch), 0).permutation(rows.len());
    order.into_iter().map(|index| rows[index as usize]).collect()
}
