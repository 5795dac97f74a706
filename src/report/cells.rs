//! Cells of CSV tables, and the names of labels.

use csv::Writer;

use super::input::RunInput;
use crate::format::inert;

/// A table in memory.
pub type Table = Writer<Vec<u8>>;

/// Text from a spec, data or a model, as a cell.
pub fn text(cell: &str) -> String {
    inert(cell).into_owned()
}

/// The name of a label, or its number if the run has no name for it.
pub fn label_name(run: &RunInput, id: u32) -> String {
    run.run.labels.get(id as usize).cloned().unwrap_or_else(|| format!("label {id}"))
}
