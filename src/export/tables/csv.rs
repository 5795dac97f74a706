//! Tables as CSV: the first line has the names, an empty cell is a missing value.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::sheet::{Sheet, write};
use crate::{
    execute::ExecuteError,
    export::ExperimentFormat,
    format::inert,
    store::{Cell, Column, Store},
};

/// CSV files.
pub struct Csv;

impl ExperimentFormat for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "for an experiment: runs.csv, metrics.csv and steps.csv"
    }

    fn write(&self, store: &Store, experiment: &str, to: &Path, _: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
        write::<Lines>(store, experiment, to)
    }
}

struct Lines(csv::Writer<BufWriter<File>>);

impl Sheet for Lines {
    const ENDING: &'static str = "csv";

    fn new(to: BufWriter<File>, columns: &'static [Column]) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(to);
        csv.write_record(columns.iter().map(|(name, _)| *name))?;
        Ok(Self(csv))
    }

    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        Ok(self.0.write_record(cells.iter().map(|cell| text(cell).into_owned()))?)
    }

    fn finish(self) -> io::Result<()> {
        self.0.into_inner().map_err(|error| error.into_error())?.flush()
    }
}

/// A cell. Numbers have all their digits: the shortest text that is read as the same number. Text that a spreadsheet would run is made inert.
fn text<'a>(cell: &Cell<'a>) -> Cow<'a, str> {
    match cell {
        Cell::Null => "".into(),
        Cell::Integer(value) => value.to_string().into(),
        Cell::Real(value) => format!("{value:?}").into(),
        Cell::Text(text) => inert(text),
    }
}
