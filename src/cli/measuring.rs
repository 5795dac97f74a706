//! Counts how many predictions are right while they are written.

use taper::{
    data::{RowText, Text, Texts},
    execute::UsedRows,
    metrics::{Metrics, Tally},
    task::Answer,
};

use super::evaluation::Known;

/// The rows so far that have a target.
pub struct Measuring<'a> {
    tally: Tally,
    /// The model's id of each label of the targets, by the id that it has in these.
    ids: Vec<u32>,
    /// The rows among them that the model was trained on or chosen by.
    pub known: Known<'a>,
}

impl<'a> Measuring<'a> {
    /// `rows` are read with their targets; `labels` are those of the model, by id; `used` the rows that it was trained on or chosen by.
    pub fn new(rows: &Texts, labels: &[String], used: &'a UsedRows) -> Self {
        let ids = ids(rows.targets(), labels);
        Self { tally: Tally::streamed(labels.len()), ids, known: Known::new(used) }
    }

    /// Counts a row, if it has a target.
    pub fn add(&mut self, row: &Text, answer: &Answer) {
        if let Some(target) = &row.target {
            self.tally.add(answer.scored(&target.renamed(&self.ids)));
            self.known.look(RowText::from(row), row.line);
        }
    }

    /// The metrics of the rows.
    pub fn metrics(self, labels: &[String]) -> Metrics {
        self.tally.metrics(labels)
    }
}

/// The model's id of each of these names, which are all among its labels.
pub fn ids(names: &[String], labels: &[String]) -> Vec<u32> {
    names.iter().map(|name| labels.iter().position(|label| label == name).unwrap_or_default() as u32).collect()
}
