//! One row of a file, whatever its layout.

use super::{DataError, Problem, text_columns::TextColumns};

/// The cells of one row that are read, as written in the file. Empty: missing.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) text: String,
    pub(super) text_pair: String,
    pub(super) label: String,
    pub(super) split: String,
}

impl Cells {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text_pair.clear();
        self.label.clear();
        self.split.clear();
    }
}

/// Names of the columns wanted.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) text: TextColumns,
    /// None: labels are not read.
    pub(super) label: Option<String>,
    /// None: there is no column of splits.
    pub(super) split: Option<String>,
    /// Whether each object has to have the field of the texts (of several, one of them), be it null. Where not, one without it has no
    /// text.
    pub(super) text_in_each: bool,
}

/// Why there is no next row.
pub(super) enum Fault {
    /// This row cannot be used; reading continues with the next.
    Row(Problem),
    /// Reading cannot continue.
    File(DataError),
}
