//! Writes the report of one experiment, and says why it cannot.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use taper::{
    format,
    report::{self, Language, ReportError, ReportInput},
    store::Store,
};

use super::super::{
    Unusable,
    listed::no_runs,
    output::{self, Output},
};

/// A report that is to be written.
pub struct Writing<'a> {
    /// The experiment's name.
    pub experiment: &'a str,
    /// The folder.
    pub folder: &'a Path,
    /// How.
    pub how: How,
}

/// How reports are written.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Whether files may be replaced that no report wrote.
    pub force: bool,
    /// The language of the pages.
    pub language: Language,
    /// Whether the texts of rows are left out.
    pub no_texts: bool,
}

/// Writes a report and returns its files.
///
/// # Errors
/// The folder cannot be written, or the database cannot be read.
pub fn write(store: &Store, writing: &Writing<'_>, out: &Output) -> Result<Vec<PathBuf>> {
    let input = ReportInput::read(store, store.experiment(writing.experiment)?)?;
    let input = if writing.how.no_texts { input.without_texts() } else { input };
    let render = if writing.how.force { report::render_over } else { report::render };
    let files = writing.how.language.during(|| render(&input, writing.folder)).map_err(explained)?;
    if is_empty(&input) {
        output::error(&no_runs(writing.experiment, &report::run_again(&input.experiment), out));
    }
    Ok(files)
}

fn is_empty(input: &ReportInput) -> bool {
    input.runs.is_empty()
}

/// The error, with what to do if another folder may help.
pub fn explained(error: ReportError) -> anyhow::Error {
    match error {
        e @ ReportError::Foreign { .. } => Unusable(e.into()).into(),
        ReportError::Folder { path, error } | ReportError::Write { path, error } if is_elsewhere(&error) => {
            let what = match error.kind() {
                io::ErrorKind::AlreadyExists => format!("{} exists and is not a folder", path.display()),
                // Its parents are created: there is no room for it in the one that is there.
                io::ErrorKind::NotFound => {
                    format!("{} cannot be created: check that its parent folder is writable", path.display())
                }
                _ => format!("{}: {}", path.display(), format::io(&error)),
            };
            let why = format!("the report cannot be written: {what}; choose another folder with --out DIR");
            Unusable(anyhow!(why)).into()
        }
        e => e.into(),
    }
}

/// Whether a folder cannot be written, so that another one may help.
fn is_elsewhere(e: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        e.kind(),
        AlreadyExists
            | NotADirectory
            | IsADirectory
            | PermissionDenied
            | ReadOnlyFilesystem
            | InvalidFilename
            | NotFound
    )
}
