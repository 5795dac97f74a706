//! Errors of writing a report.

use std::{io, path::PathBuf};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder could not be created.
    #[error("folder {}: {}", path.display(), crate::format::io(error))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why. Not a `source`: the message already contains it.
        error: io::Error,
    },
    /// A file could not be written.
    #[error("file {}: {}", path.display(), crate::format::io(error))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why. Not a `source`: the message already contains it.
        error: io::Error,
    },
    /// The folder holds files with the names of a report's files that no report wrote.
    #[error(
        "{} contains files that no report wrote, but that this report would replace: {names}; choose another folder \
         with --out, or replace them with --force",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Their names.
        names: String,
    },
    /// A chart could not be drawn.
    #[error("chart {name}: {reason}")]
    Chart {
        /// Its file name without the extension.
        name: String,
        /// The message of the drawing library.
        reason: String,
    },
    /// A table could not be written.
    #[error("table {name}: {error}")]
    Table {
        /// Its file name.
        name: String,
        /// Why; already part of the message.
        error: csv::Error,
    },
    /// The resolved config could not be written as TOML.
    #[error("config of the best run as TOML: {0}")]
    Config(toml::ser::Error),
    /// A page could not be filled in.
    #[error("page: {0}")]
    Page(askama::Error),
    /// The font that comes with the program could not be read.
    #[error("the built-in font could not be read")]
    Font,
}

impl ReportError {
    pub(super) fn chart(name: &str, reason: impl ToString) -> Self {
        Self::Chart { name: name.into(), reason: reason.to_string() }
    }
}
