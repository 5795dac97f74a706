//! The rows of a file, whatever its layout: what [`read`](super::read) and [`stream_texts`](super::stream_texts) share.

use std::path::Path;

use super::{
    DataError, Format, Problem,
    delimited::Delimited,
    json_lines::JsonLines,
    source::{Input, format_of},
};

/// The text and the label of one row, as they stand in the file. Empty: missing.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) text: String,
    pub(super) label: String,
}

impl Cells {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.label.clear();
    }
}

/// Names of the columns wanted.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) text: String,
    /// None: labels are not read.
    pub(super) label: Option<String>,
}

/// Why there is no next row.
pub(super) enum Fault {
    /// This row cannot be used; the next may.
    Row(Problem),
    /// Reading cannot go on.
    File(DataError),
}

/// A file, row by row.
pub(super) enum Rows {
    Delimited(Delimited),
    JsonLines(JsonLines),
    #[cfg(feature = "parquet")]
    Parquet(super::parquet::Parquet),
}

impl Rows {
    pub(super) fn open(path: &Path, format: Option<Format>, columns: Columns) -> Result<Self, DataError> {
        let format = format_of(path, format)?;
        let input = Input::open(path)?;
        Ok(match format {
            Format::Csv => Self::Delimited(Delimited::new(path, input, b',', columns)?),
            Format::Tsv => Self::Delimited(Delimited::new(path, input, b'\t', columns)?),
            Format::Jsonl => Self::JsonLines(JsonLines::new(path, input, columns)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Self::Parquet(super::parquet::Parquet::new(path, input, columns)?),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(DataError::NoParquet { path: path.into() }),
        })
    }

    /// Fills `cells` with the next row and returns the line on which it begins; none at the end of the file.
    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        cells.clear();
        match self {
            Self::Delimited(rows) => rows.next(cells),
            Self::JsonLines(rows) => rows.next(cells),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.next(cells),
        }
    }

    /// Refuses a column that no row read so far has.
    pub(super) fn check_columns(&self) -> Result<(), DataError> {
        match self {
            Self::Delimited(_) => Ok(()), // checked against the header
            Self::JsonLines(rows) => rows.check_columns(),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => Ok(()), // checked against the schema
        }
    }

    /// The file's bytes, as far as they have been read.
    pub(super) fn input(&self) -> &Input {
        match self {
            Self::Delimited(rows) => rows.input(),
            Self::JsonLines(rows) => rows.input(),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.input(),
        }
    }
}
