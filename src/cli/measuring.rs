//! Counts how many predictions are right while they are written.

use std::collections::HashMap;

use taper::{
    data::{Row, RowText, Text},
    metrics::{Metrics, Tally},
    task::{Answer, Target},
};

use super::evaluation::Known;

/// The rows so far that have a label.
pub struct Measuring<'a> {
    tally: Tally,
    /// Id of each label.
    ids: HashMap<String, u32>,
    /// The rows among them that the model was trained on.
    pub known: Known<'a>,
}

impl<'a> Measuring<'a> {
    /// `labels` are those of the model, by id; `trained` the rows that it was trained on.
    pub fn new(labels: &[String], trained: &'a [Row]) -> Self {
        let ids = labels.iter().cloned().zip(0..).collect();
        Self { tally: Tally::streamed(labels.len()), ids, known: Known::new(trained) }
    }

    /// Counts a row, if it has a label.
    pub fn add(&mut self, row: &Text, answer: &Answer) {
        if let Some(&id) = row.label.as_ref().and_then(|label| self.ids.get(label)) {
            self.tally.add(answer.scored(&Target::Label(id)));
            self.known.look(RowText::from(row), row.line);
        }
    }

    /// The metrics of the rows.
    pub fn metrics(self, labels: &[String]) -> Metrics {
        self.tally.metrics(labels)
    }
}
