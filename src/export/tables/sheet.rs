//! What the formats of tables have in common.

use std::{
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use crate::{
    execute::ExecuteError,
    store::{Cell, Column, Store, StoreError, View},
};

/// A table that is being written.
pub(super) trait Sheet: Sized {
    /// What its file's name ends with.
    const ENDING: &'static str;

    /// Begins a file with these columns.
    fn new(to: BufWriter<File>, columns: &'static [Column]) -> io::Result<Self>;

    /// Adds a row.
    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Writes what is left.
    fn finish(self) -> io::Result<()>;
}

/// Why a table was not written.
enum Failed {
    Store(StoreError),
    Io(io::Error),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the three tables of an experiment; holds a row at a time, and what a format collects.
pub(super) fn write<S: Sheet>(store: &Store, experiment: &str, to: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
    let mut names = Vec::new();
    for view in View::ALL {
        let name = PathBuf::from(format!("{}.{}", view.table(), S::ENDING));
        let path = to.join(&name);
        let table = || {
            let mut sheet = S::new(BufWriter::new(File::create_new(&path)?), view.columns())?;
            store.view(view, experiment, |cells| sheet.add(cells).map_err(Failed::Io))?;
            Ok(sheet.finish()?)
        };
        table().map_err(|error| match error {
            Failed::Store(error) => ExecuteError::Store(error),
            Failed::Io(error) => ExecuteError::Io { path: path.clone(), error },
        })?;
        names.push(name);
    }
    Ok(names)
}
