//! What was found in the data of a run, for the store.

use std::collections::HashSet;

use super::Prepared;
use crate::{
    data::{self, Cleaning, Dataset, ReadFile, SplitFile, Splits},
    event::Split,
    store::{AuditedFile, AuditedLeak, AuditedNumbers, AuditedSource, AuditedSplit, DataAudit, FoundRows},
    task::Target,
};

impl Prepared {
    /// What was found in its data. Computed once for all runs that have the same rows in the same splits.
    pub fn audit(&self) -> &DataAudit {
        self.found.get_or_init(|| audit(&self.dataset, &self.splits))
    }
}

fn audit(dataset: &Dataset, splits: &Splits) -> DataAudit {
    let c = &dataset.cleaning;
    let of_splits: usize = dataset.files.iter().map(|file| file.rows.len()).sum();
    let used = [(Split::Train, &splits.train), (Split::Dev, &splits.dev), (Split::Test, &splits.test)];
    let leak = |leak: data::Leak| AuditedLeak {
        rows_of: leak.rows_of,
        also_in: leak.also_in,
        exact: leak.exact as u64,
        alike: leak.alike as u64,
    };
    let first = source(None, &dataset.sources, &dataset.notes, c);
    let of_split = |file: &SplitFile| source(Some(file.split), &file.sources, &file.notes, &file.cleaning);
    DataAudit {
        sources: std::iter::once(first).chain(dataset.files.iter().map(of_split)).collect(),
        rows: (dataset.rows.len() - of_splits) as u64,
        repeats: c.duplicates,
        contradictions: c.contradicting,
        contradicting: found(c.contradicting_rows, &c.contradicting_lines),
        splits: used
            .into_iter()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(split, rows)| AuditedSplit {
                split,
                rows: rows.len() as u64,
                rows_of_label: rows_of_label(dataset, rows),
                groups: groups(dataset, rows),
                without_labels: without_labels(dataset, rows),
                numbers: numbers(dataset, rows),
            })
            .collect(),
        folds: splits.folds.iter().map(|rows| *rows as u64).collect(),
        leaks: data::leaks(dataset, splits).into_iter().map(leak).collect(),
    }
}

/// The rows of each label; of numbers none.
fn rows_of_label(dataset: &Dataset, rows: &[u32]) -> Vec<u64> {
    match dataset.rows.first().map(|row| &row.target) {
        Some(Target::Values(_)) => Vec::new(),
        _ => dataset.class_counts(rows),
    }
}

/// The rows that may have several labels and have none.
fn without_labels(dataset: &Dataset, rows: &[u32]) -> u64 {
    let none = |row: &&u32| matches!(&dataset.rows[**row as usize].target, Target::Labels(ids) if ids.is_empty());
    rows.iter().filter(none).count() as u64
}

/// The numbers of each column; of labels none.
fn numbers(dataset: &Dataset, rows: &[u32]) -> Vec<AuditedNumbers> {
    let targets = || rows.iter().map(|row| &dataset.rows[*row as usize].target);
    let columns = targets().next().map_or(0, |target| target.numbers().len());
    let of_column = |column: usize| {
        let values = || targets().filter_map(move |target| target.numbers().get(column).copied());
        let n = rows.len() as f64;
        let mean = values().map(|value| value / n).sum::<f64>();
        let spread: f64 = values().map(|value| (value - mean).powi(2)).sum();
        AuditedNumbers {
            mean,
            sd: (spread / (n - 1.0).max(1.0)).sqrt(),
            low: values().fold(f64::INFINITY, f64::min),
            high: values().fold(f64::NEG_INFINITY, f64::max),
        }
    };
    (0..columns).map(of_column).collect()
}

fn source(split: Option<Split>, files: &[ReadFile], read_as: &[String], c: &Cleaning) -> AuditedSource {
    let file = |file: &ReadFile| AuditedFile { name: file.name.clone(), sha256: file.sha256.clone() };
    AuditedSource {
        split,
        files: files.iter().map(file).collect(),
        read_as: read_as.to_vec(),
        read: c.read,
        without_text: found(c.missing_text, &c.missing_text_lines),
        without_pair: found(c.missing_pair, &c.missing_pair_lines),
        without_label: found(c.missing_label, &c.missing_label_lines),
    }
}

fn found(rows: u64, lines: &[u64]) -> FoundRows {
    FoundRows { rows, lines: lines.to_vec() }
}

/// How many groups these rows are of; `None` where no row has one.
fn groups(dataset: &Dataset, rows: &[u32]) -> Option<u64> {
    let groups: HashSet<u32> = rows.iter().filter_map(|row| dataset.groups.get(*row as usize)).copied().collect();
    (!groups.is_empty()).then_some(groups.len() as u64)
}
