//! Exports trained models, and the measurements of experiments, in the formats of other programs.
//!
//! An [`Exporter`] writes one format into an empty folder; [`export`] makes this atomic, and only exports models that have not changed since
//! their run. To add a format, add its file and name it in [`FORMATS`]. An [`ExperimentFormat`] does the same for the
//! runs of an experiment; all of them are in [`EXPERIMENT_FORMATS`].

mod experiment;
mod files;
mod hugging_face;
mod mlflow;
mod numbers;
mod onnx;
mod tables;
mod tensor_board;
mod whole;

pub use experiment::export_experiment;
pub use hugging_face::HuggingFace;
pub use mlflow::MlFlow;
pub use numbers::Numbers;
pub use onnx::{LONGEST, Onnx, write_onnx};
pub use tables::{Csv, JsonLines, ParquetTables, write_column};
pub use tensor_board::TensorBoard;
pub use whole::{CARD, Refused, export};

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    execute::{ExecuteError, Kept},
    store::Store,
};

/// What loads an exported model; its card says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// transformers, from a folder.
    Transformers,
    /// onnxruntime, from `model.onnx`.
    OnnxRuntime,
}

/// A format of trained models.
pub trait Exporter: Sync {
    /// Its value of `--format`.
    fn name(&self) -> &'static str;

    /// A description for `--help`.
    fn about(&self) -> &'static str;

    /// What its numbers can be.
    fn numbers(&self) -> &'static [Numbers];

    /// What loads the files.
    fn library(&self) -> Library;

    /// Writes a model into an empty folder, durably; `numbers` are some of [`Self::numbers`]. Returns the names of the files.
    ///
    /// # Errors
    /// A file cannot be read or written, or the model has numbers that cannot be stored so.
    fn write(&self, model: &Kept, numbers: Numbers, to: &Path) -> Result<Vec<OsString>, ExecuteError>;
}

/// Every format; the first is the default.
pub static FORMATS: [&dyn Exporter; 2] = [&HuggingFace, &Onnx];

/// A format of the measurements of an experiment.
pub trait ExperimentFormat: Sync {
    /// Its value of `--format`.
    fn name(&self) -> &'static str;

    /// A description for `--help`.
    fn about(&self) -> &'static str;

    /// Writes the experiment into the empty folder `to`, which will then be renamed to `at`, an absolute path. Returns the paths of its files from
    /// there.
    ///
    /// # Errors
    /// The database cannot be read, or a file not written.
    fn write(&self, store: &Store, experiment: &str, to: &Path, at: &Path) -> Result<Vec<PathBuf>, ExecuteError>;
}

/// Every format of experiments.
pub static EXPERIMENT_FORMATS: [&dyn ExperimentFormat; 5] = [&Csv, &JsonLines, &ParquetTables, &TensorBoard, &MlFlow];
