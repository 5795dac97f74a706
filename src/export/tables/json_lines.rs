//! Tables as JSON Lines: an object for each row, `null` for a missing value.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::sheet::{Sheet, write};
use crate::{
    execute::ExecuteError,
    export::ExperimentFormat,
    store::{Cell, Column, Kind, Store},
};

/// Files of JSON objects.
pub struct JsonLines;

impl ExperimentFormat for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn about(&self) -> &'static str {
        "for an experiment: runs.jsonl, metrics.jsonl and steps.jsonl"
    }

    fn write(&self, store: &Store, experiment: &str, to: &Path, _: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
        write::<Lines>(store, experiment, to)
    }
}

struct Lines {
    out: BufWriter<File>,
    columns: &'static [Column],
}

impl Sheet for Lines {
    const ENDING: &'static str = "jsonl";

    fn new(out: BufWriter<File>, columns: &'static [Column]) -> io::Result<Self> {
        Ok(Self { out, columns })
    }

    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let row = self.columns.iter().zip(cells).map(|((name, kind), cell)| (name.to_string(), json(*kind, cell)));
        serde_json::to_writer(&mut self.out, &row.collect::<Map<_, _>>())?;
        self.out.write_all(b"\n")
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A cell; JSON has no infinity, which becomes `null`.
fn json(kind: Kind, cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(value) if kind == Kind::Truth => (*value != 0).into(),
        Cell::Integer(value) => (*value).into(),
        Cell::Real(value) => (*value).into(),
        Cell::Text(text) => (*text).into(),
    }
}
