//! Trained models in the formats of other programs.
//!
//! An [`Exporter`] writes one format into an empty folder; [`export`] sees to it that the folder is there whole or not at all, and
//! that only a model which is as its run kept it is exported. To add a format, add its file and name it in [`FORMATS`].

mod hugging_face;
mod whole;

pub use hugging_face::HuggingFace;
pub use whole::{Refused, export};

use std::{ffi::OsString, path::Path};

use crate::execute::{ExecuteError, Kept};

/// A format of trained models.
pub trait Exporter: Sync {
    /// What `--format` calls it.
    fn name(&self) -> &'static str;

    /// What it is, for `--help`.
    fn about(&self) -> &'static str;

    /// Writes a model into an empty folder, and puts it on the disk. Returns the names of the files.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    fn write(&self, model: &Kept, to: &Path) -> Result<Vec<OsString>, ExecuteError>;
}

/// Every format; the first is the default.
pub static FORMATS: [&dyn Exporter; 1] = [&HuggingFace];
