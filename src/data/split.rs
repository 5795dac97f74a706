//! Which rows train, choose and measure, and in which order they come.

use super::{
    DataConfig, DataError, Dataset, Splits,
    folds::Folds,
    grouped,
    iterative::divide,
    split_checks,
    strata::{Strata, apportion, shuffled},
};
use crate::{
    plan::Fold,
    random::{Purpose, Stream},
};

/// Splits the rows: those that a file or a column assigns go to their split in file order, all others at random with `config.seed`.
///
/// Of n such rows the test split gets `round(n · test)`, the dev split `round(n · dev)`, the train split what is left. With
/// `config.stratify` each label's rows are divided in the same proportions, by largest remainder (sets of labels: by iterative
/// stratification; numbers: the rows of each tenth of the values), and the sizes of the splits stay the same. With `config.fold` the test split is that fold instead, and the dev split comes from the other folds. With
/// `config.group_column` rows of a group stay together, and sizes are as near to these as its groups allow.
///
/// # Errors
/// The train split is empty, or the test or dev split is although its share is not 0; there are fewer rows or groups than folds.
pub fn split(dataset: &Dataset, config: &DataConfig) -> Result<Splits, DataError> {
    let free = dataset.free_rows();
    let n = free.len();
    let size = |share: f64| (n as f64 * share).round() as usize;
    let shares = [("test", config.test.share()), ("dev", config.dev.share())];
    let mut wanted = shares.map(|(_, share)| size(share));
    for ((split, share), rows) in shares.into_iter().zip(wanted) {
        if share > 0.0 && rows == 0 {
            return Err(DataError::EmptySplit { split, share, rows: n });
        }
    }
    let strata = Strata::new(dataset, config.stratify);
    let mut splits = Splits { dev: dataset.dev.clone(), test: dataset.test.clone(), ..Splits::default() };
    let order = match config.fold {
        None => shuffled(&free, Stream::new(config.seed, Purpose::Split, 0, 0)),
        Some(fold) => {
            let folds = Folds::new(dataset, config, &strata, fold.of() as usize)?;
            let (test, rest) = folds.of_run(fold.index());
            splits.test = test;
            splits.folds = folds.sizes();
            splits.warnings = folds.warnings(dataset, config);
            wanted[0] = 0;
            // Another stream than that of the folds: the dev split is drawn from all of the others.
            shuffled(&rest, Stream::new(config.seed, Purpose::Split, 3, fold.number()))
        }
    };
    let held_out = if config.fold.is_some() { splits.test.len() } else { wanted[0] };
    if held_out.saturating_add(wanted[1]) >= n {
        let folded = config.fold.is_some();
        return Err(DataError::NothingToTrain { rows: n, test: held_out, dev: wanted[1], folded });
    }
    let [test, dev, train] = match dataset.groups.is_empty() {
        true => hold_out(order, &strata, wanted),
        false => {
            let fold = config.fold.map_or(0, Fold::number);
            grouped::hold_out(dataset, &order, &strata, wanted, Stream::new(config.seed, Purpose::Split, 4, fold))?
        }
    };
    splits.test.extend(test);
    splits.dev.extend(dev);
    splits.train = train;
    splits.warnings.extend(split_checks::check(dataset, &splits, config));
    Ok(splits)
}

/// The test rows, the dev rows and what is left of the rows in `order`: `wanted` of the first two.
fn hold_out(order: Vec<u32>, strata: &Strata<'_>, [test, dev]: [usize; 2]) -> [Vec<u32>; 3] {
    if strata.are_sets() {
        // The test rows first: a larger dev split leaves them as they are.
        let mut parts = divide(&order, strata, &[test, order.len() - test]);
        let rest = parts.pop().unwrap_or_default();
        let mut others = divide(&rest, strata, &[dev, rest.len() - dev]);
        let train = others.pop().unwrap_or_default();
        return [parts.concat(), others.concat(), train];
    }
    let mut left = strata.count(&order);
    let mut for_test = apportion(test, &left);
    left.iter_mut().zip(&for_test).for_each(|(left, taken)| *left -= taken);
    let mut for_dev = apportion(dev, &left);
    let mut parts = [const { Vec::new() }; 3];
    for row in order {
        let stratum = strata.of(row);
        let part = if for_test[stratum] > 0 {
            for_test[stratum] -= 1;
            0
        } else if for_dev[stratum] > 0 {
            for_dev[stratum] -= 1;
            1
        } else {
            2
        };
        parts[part].push(row);
    }
    parts
}

/// The order in which an epoch (from 1) visits the rows. It depends on seed and epoch alone.
pub fn epoch_order(rows: &[u32], seed: u64, epoch: u32) -> Vec<u32> {
    let order = Stream::new(seed, Purpose::Order, u64::from(epoch), 0).permutation(rows.len());
    order.into_iter().map(|index| rows[index as usize]).collect()
}
