//! A sparse confusion matrix.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};

use super::counts::{Average, Counts};

/// Numbers of rows by label and predicted label.
///
/// Only pairs that occur are stored: with thousands of labels the matrix has millions of cells, of which the rows of a split fill a few
/// thousand. It is serialised as the dense matrix `[label][predicted]` with up to [`Confusion::WHOLE`] labels, and as
/// `{"labels": n, "cells": [[label, predicted, rows], …]}` with more. Both forms are read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Confusion {
    labels: usize,
    cells: BTreeMap<(u32, u32), u64>,
}

impl Confusion {
    /// The most labels with which the dense matrix is written.
    pub const WHOLE: usize = 100;

    /// The matrix of `labels` labels without rows.
    pub fn new(labels: usize) -> Self {
        Self { labels, cells: BTreeMap::new() }
    }

    /// The matrix with these numbers of rows in `[label][predicted]`.
    pub fn from_rows<R: AsRef<[u64]>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut confusion = Self::default();
        for (label, row) in rows.into_iter().enumerate() {
            confusion.labels = confusion.labels.max(label + 1);
            for (predicted, &rows) in row.as_ref().iter().enumerate() {
                confusion.labels = confusion.labels.max(predicted + 1);
                confusion.add(label as u32, predicted as u32, rows);
            }
        }
        confusion
    }

    /// Adds `rows` rows of `label` that were predicted as `predicted`.
    pub fn add(&mut self, label: u32, predicted: u32, rows: u64) {
        if rows > 0 {
            *self.cells.entry((label, predicted)).or_default() += rows;
        }
    }

    /// The number of labels.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The number of rows of `label` that were predicted as `predicted`.
    pub fn get(&self, label: u32, predicted: u32) -> u64 {
        self.cells.get(&(label, predicted)).copied().unwrap_or(0)
    }

    /// (label, predicted, rows) of each pair that occurs, in the order of the ids.
    pub fn cells(&self) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        self.cells.iter().map(|(&(label, predicted), &rows)| (label, predicted, rows))
    }

    /// The number of rows of each label, by id.
    pub fn supports(&self) -> Vec<u64> {
        self.sums(|label, _| label)
    }

    /// The number of rows predicted as each label, by id.
    pub fn predicted(&self) -> Vec<u64> {
        self.sums(|_, predicted| predicted)
    }

    /// The number of rows predicted correctly: the sum of the diagonal.
    pub fn right(&self) -> u64 {
        self.cells().filter(|(label, predicted, _)| label == predicted).map(|(_, _, rows)| rows).sum()
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.cells.values().sum()
    }

    /// Mean F1, from 0 to 1, of the labels that occur in the rows or in the predictions: scikit-learn's
    /// `f1_score(y_true, y_pred, average="macro")`. NaN without rows.
    pub fn macro_f1(&self) -> f64 {
        Average::Macro.of(&self.counts(), Counts::f1)
    }

    /// The counts of each label, by id.
    pub fn counts(&self) -> Vec<Counts> {
        let mut counts = vec![Counts::default(); self.labels];
        for (label, predicted, rows) in self.cells() {
            if let Some(of) = counts.get_mut(label as usize) {
                of.support += rows;
                of.right += if label == predicted { rows } else { 0 };
            }
            if let Some(of) = counts.get_mut(predicted as usize) {
                of.predicted += rows;
            }
        }
        counts
    }

    fn sums(&self, of: fn(u32, u32) -> u32) -> Vec<u64> {
        let mut sums = vec![0; self.labels];
        for (label, predicted, rows) in self.cells() {
            if let Some(sum) = sums.get_mut(of(label, predicted) as usize) {
                *sum += rows;
            }
        }
        sums
    }
}

impl fmt::Debug for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.cells()).finish()
    }
}

impl Serialize for Confusion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.labels > Self::WHOLE {
            #[derive(Serialize)]
            struct Sparse {
                labels: usize,
                cells: Vec<(u32, u32, u64)>,
            }
            return Sparse { labels: self.labels, cells: self.cells().collect() }.serialize(serializer);
        }
        let ids = 0..self.labels as u32;
        let row = |label| ids.clone().map(|predicted| self.get(label, predicted)).collect::<Vec<_>>();
        serializer.collect_seq(ids.clone().map(row))
    }
}

impl<'de> Deserialize<'de> for Confusion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;
        impl<'de> Visitor<'de> for Both {
            type Value = Confusion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a confusion matrix: rows of counts, or labels and cells")
            }

            // Row by row, to save memory: a stored matrix of 5,000 labels has 25 million cells.
            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Confusion, A::Error> {
                let mut confusion = Confusion::default();
                while let Some(row) = rows.next_element::<Vec<u64>>()? {
                    let label = confusion.labels as u32;
                    confusion.labels += 1;
                    for (predicted, count) in row.into_iter().enumerate() {
                        confusion.add(label, predicted as u32, count);
                    }
                }
                Ok(confusion)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Confusion, A::Error> {
                #[derive(Deserialize)]
                struct Sparse {
                    labels: usize,
                    cells: Vec<(u32, u32, u64)>,
                }
                let sparse = Sparse::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let mut confusion = Confusion::new(sparse.labels);
                for (label, predicted, rows) in sparse.cells {
                    confusion.add(label, predicted, rows);
                }
                Ok(confusion)
            }
        }
        deserializer.deserialize_any(Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[u64]]) -> Confusion {
        Confusion::from_rows(rows)
    }

    /// Expected: scikit-learn 1.9 `f1_score(y_true, y_pred, average="macro")`; see `tests/fixtures/reference/statistics.py`.
    #[test]
    fn macro_f1_is_scikit_learns_default() {
        let none = 0.0;
        for (rows, want) in [
            // All occur.
            (of(&[&[1, 1], &[1, 3]]), (0.5 + 0.75) / 2.0),
            // The third neither in the rows nor predicted.
            (of(&[&[1, 1, 0], &[1, 3, 0], &[0, 0, 0]]), (0.5 + 0.75) / 2.0),
            // The third predicted once, never in the rows.
            (of(&[&[1, 1, 0], &[1, 2, 1], &[0, 0, 0]]), (0.5 + 4.0 / 7.0 + none) / 3.0),
            // The third in the rows, never predicted.
            (of(&[&[1, 1, 0], &[1, 3, 0], &[0, 2, 0]]), (0.5 + 0.6 + none) / 3.0),
            // One class alone, always right.
            (of(&[&[0, 0], &[0, 5]]), 1.0),
        ] {
            assert!((rows.macro_f1() - want).abs() < 1e-12, "{rows:?}: {}", rows.macro_f1());
        }
        assert!(Confusion::new(3).macro_f1().is_nan());
    }

    #[test]
    fn few_labels_are_written_as_a_dense_matrix_and_many_as_the_cells_that_occur() {
        let few = of(&[&[2, 1], &[0, 3]]);
        assert_eq!(serde_json::to_string(&few).unwrap(), "[[2,1],[0,3]]");
        let mut many = Confusion::new(5000);
        many.add(4999, 7, 2);
        many.add(0, 0, 1);
        let text = serde_json::to_string(&many).unwrap();
        assert_eq!(text, r#"{"labels":5000,"cells":[[0,0,1],[4999,7,2]]}"#);
        for confusion in [few, many, Confusion::new(3)] {
            let text = serde_json::to_string(&confusion).unwrap();
            assert_eq!(serde_json::from_str::<Confusion>(&text).unwrap(), confusion, "{text}");
        }
        assert!(serde_json::from_str::<Confusion>("[[1,-1]]").is_err());
    }

    /// Earlier versions wrote the dense matrix for any number of labels.
    #[test]
    fn the_dense_matrix_of_many_labels_is_read() {
        let mut rows = vec![vec![0u64; 300]; 300];
        (rows[299][1], rows[5][5]) = (4, 6);
        let read: Confusion = serde_json::from_str(&serde_json::to_string(&rows).unwrap()).unwrap();
        assert_eq!((read.labels(), read.rows(), read.right(), read.get(299, 1)), (300, 10, 6, 4));
    }
}
