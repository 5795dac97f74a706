//! The folds of a cross-validation.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    DataConfig, DataError, Dataset,
    alike::quoted,
    grouped,
    iterative::divide,
    split_checks::{self, FEW, LEAKED, NAMED},
    strata::{Strata, shuffled},
    text_columns::RowText,
};
use crate::{
    format::{self, by_number, counted},
    random::{Purpose, Stream},
    warning::{Kind, Warning},
};

/// The rows of each fold: every row that neither a file nor a column assigns to the dev split is in one of them.
pub(super) struct Folds(Vec<Vec<u32>>);

impl Folds {
    /// Divides the rows into `of` folds at random with `config.seed`.
    ///
    /// Without groups, the rows of each label (with `config.stratify`) and of all labels together differ by at most one between folds: the
    /// rows of one label after the other are dealt out in turn, as scikit-learn's `StratifiedKFold` does. Rows with sets of labels are
    /// divided by [`divide`]. Groups are dealt out whole, the
    /// largest first, each to the fold that has the fewest rows of its strata (as `GroupKFold`; as `StratifiedGroupKFold` where labels
    /// count, but by the variance).
    ///
    /// # Errors
    /// There are fewer rows or groups than folds.
    pub(super) fn new(
        dataset: &Dataset,
        config: &DataConfig,
        strata: &Strata<'_>,
        of: usize,
    ) -> Result<Self, DataError> {
        let order = shuffled(&dataset.free_rows(), Stream::new(config.seed, Purpose::Split, 2, 0));
        if order.len() < of {
            return Err(DataError::TooFewToFold { have: order.len(), what: "row", folds: of });
        }
        let mut folds = vec![Vec::new(); of];
        if dataset.groups.is_empty() && strata.are_sets() {
            let sizes: Vec<usize> =
                (0..of).map(|fold| order.len() / of + usize::from(fold < order.len() % of)).collect();
            return Ok(Self(divide(&order, strata, &sizes)));
        }
        if dataset.groups.is_empty() {
            let mut order = order;
            order.sort_by_key(|&row| strata.of(row)); // stable
            order.into_iter().enumerate().for_each(|(i, row)| folds[i % of].push(row));
            return Ok(Self(folds));
        }
        let mut groups = grouped::groups(dataset, &order, strata);
        if groups.len() < of {
            return Err(DataError::TooFewToFold { have: groups.len(), what: "group", folds: of });
        }
        groups.sort_by_key(|group| Reverse(group.counts.iter().map(|(_, rows)| rows * rows).sum::<usize>())); // stable
        let all = strata.count(&order);
        let mut counts = vec![vec![0; strata.len()]; of];
        for group in groups {
            // The variance over the folds of the share of a stratum that each has grows by this, but for what is the same for all folds.
            let growth = |fold: usize| -> f64 {
                let of_stratum = |&(stratum, rows): &(usize, usize)| {
                    let share = |rows: usize| rows as f64 / all[stratum] as f64;
                    share(counts[fold][stratum]) * share(rows)
                };
                group.counts.iter().map(of_stratum).sum()
            };
            let order =
                |&a: &usize, &b: &usize| growth(a).total_cmp(&growth(b)).then(folds[a].len().cmp(&folds[b].len()));
            let fold = (0..of).min_by(order).unwrap_or(0);
            group.counts.iter().for_each(|(stratum, rows)| counts[fold][*stratum] += rows);
            folds[fold].extend(group.rows);
        }
        Ok(Self(folds))
    }

    /// The test rows of the run that is tested on the fold with this index, and the rows of all other folds.
    pub(super) fn of_run(&self, index: usize) -> (Vec<u32>, Vec<u32>) {
        let mut rest: Vec<u32> =
            self.0.iter().enumerate().filter(|(fold, _)| *fold != index).flat_map(|(_, rows)| rows).copied().collect();
        rest.sort_unstable();
        (self.0[index].clone(), rest)
    }

    /// The number of rows of each.
    pub(super) fn sizes(&self) -> Vec<usize> {
        self.0.iter().map(Vec::len).collect()
    }

    /// What is probably a mistake about all folds together; the same for the run of each.
    pub(super) fn warnings(&self, dataset: &Dataset, config: &DataConfig) -> Vec<Warning> {
        let of_dev = config.group_column.as_ref().and_then(|column| {
            split_checks::groups_of_dev(dataset, (&self.0.concat(), "row"), &dataset.dev, &quoted(column))
        });
        let known_elsewhere = self.known_elsewhere(dataset);
        let found = [self.few(config), self.thin_labels(dataset), self.uneven(config), known_elsewhere, of_dev];
        found.into_iter().flatten().collect()
    }

    /// All folds together are a small test split.
    fn few(&self, config: &DataConfig) -> Option<Warning> {
        let rows = self.0.iter().map(Vec::len).sum::<usize>();
        (rows < FEW).then(|| {
            let message = format!(
                "all folds together have {}, too few to be conclusive{}; use more rows",
                counted(rows as u64, "row"),
                split_checks::of_accuracy(config.task(), &format::decimals(100.0 / rows as f64, 1))
            );
            Warning::new(Kind::Split, message)
        })
    }

    /// Labels with fewer rows than there are folds.
    fn thin_labels(&self, dataset: &Dataset) -> Option<Warning> {
        let of = self.0.len() as u64;
        let rows: Vec<u32> = self.0.concat();
        let counts = dataset.class_counts(&rows);
        let thin: Vec<usize> = (0..counts.len()).filter(|&label| (1..of).contains(&counts[label])).collect();
        // A column that is none of labels is warned of as such.
        if thin.is_empty() || 2 * dataset.labels.len() > dataset.rows.len() || dataset.undivided.is_some() {
            return None;
        }
        let named = thin
            .iter()
            .take(NAMED)
            .map(|&label| format!("{} ({})", quoted(&dataset.labels[label]), counted(counts[label], "row")));
        let more = thin.len().checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("{more} more"));
        let message = format!(
            "{} {} fewer rows than there are folds ({of}), so some folds have no row with them: {}; use fewer folds, or add rows",
            counted(thin.len() as u64, "label"),
            by_number(thin.len() as u64, "has", "have"),
            format::and(&named.chain(more).collect::<Vec<_>>())
        );
        Some(Warning::new(Kind::Split, message))
    }

    /// Folds whose sizes are far from equal, as large groups force them to be.
    fn uneven(&self, config: &DataConfig) -> Option<Warning> {
        let sizes = self.sizes();
        let (least, most) = (sizes.iter().min().copied()?, sizes.iter().max().copied()?);
        let column = config.group_column.as_ref()?;
        (2 * most > 3 * least && most - least > 1).then(|| {
            let message = format!(
                "the folds have from {} to {}: the groups of `{}` are too large to divide the rows evenly; use fewer \
                 folds, or smaller groups",
                format::count(least as u64),
                counted(most as u64, "row"),
                super::escaped(column)
            );
            Warning::new(Kind::Split, message)
        })
    }

    /// That so many rows have the text of a row of another fold that metrics measure memorisation.
    fn known_elsewhere(&self, dataset: &Dataset) -> Option<Warning> {
        // The fold of each text; `None`: it is in several.
        let mut fold_of: HashMap<RowText, Option<usize>> = HashMap::new();
        let text = |row: u32| RowText::from(&dataset.rows[row as usize]);
        let rows = || self.0.iter().enumerate().flat_map(|(fold, rows)| rows.iter().map(move |row| (fold, *row)));
        for (fold, row) in rows() {
            fold_of
                .entry(text(row))
                .and_modify(|known| *known = known.filter(|known| *known == fold))
                .or_insert(Some(fold));
        }
        let mut known: Vec<u32> =
            rows().filter(|(_, row)| fold_of.get(&text(*row)) == Some(&None)).map(|(_, row)| row).collect();
        known.sort_unstable();
        let all = self.0.iter().map(Vec::len).sum::<usize>();
        if known.is_empty() || known.len() * LEAKED < all {
            return None;
        }
        let n = known.len() as u64;
        let message = format!(
            "{} of the {} ({}) {} a text that is also in another fold, so metrics partly measure memorisation, \
             not generalisation; keep only one row of each text in the data file",
            format::count(n),
            counted(all as u64, "row"),
            dataset.lines_of(&known),
            by_number(n, "has", "have"),
        );
        Some(Warning::new(Kind::Split, message).at(dataset.lines_in_one_file(&known)))
    }
}
