//! Cells of CSV tables, and the names of labels.

use csv::Writer;

use super::input::RunInput;
use crate::{format::inert, metrics::Target};

/// A table in memory.
pub type Table = Writer<Vec<u8>>;

/// Text from a spec, data or a model, as a cell.
pub fn text(cell: &str) -> String {
    inert(cell).into_owned()
}

/// Writes the targets of a run's rows as `taper predict` does: sets of labels can be read back.
#[derive(Clone, Copy)]
pub struct Targets<'a> {
    labels: &'a [String],
    separator: Option<&'a str>,
}

impl<'a> Targets<'a> {
    /// Those of this run.
    pub fn of(run: &'a RunInput) -> Self {
        let (labels, separator) = (&run.run.labels[..], run.run.config.data.label_separator.as_deref());
        Self { labels, separator: Target::sound(separator, labels) }
    }

    /// The cell of a target.
    pub fn cell(&self, target: &Target) -> String {
        text(&target.written(self.labels, self.separator))
    }
}

/// The name of a label, or its number if the run has no name for it.
pub fn label_name(run: &RunInput, id: u32) -> String {
    run.run.labels.get(id as usize).cloned().unwrap_or_else(|| format!("label {id}"))
}
