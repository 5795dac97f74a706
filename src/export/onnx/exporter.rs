//! The format: model.onnx, with config.json and the tokenizer's files of the kept model.

use std::{ffi::OsString, path::Path};

use super::{
    classifier::classifier,
    write::{LONGEST, write},
};
use crate::{
    execute::{Classifier, ExecuteError, Kept},
    export::{
        Exporter, Library, Numbers,
        files::{copy_files, sync_folder},
    },
    model::{ModelConfig, Parameters},
};

/// The weights of a kept model, which are part of the graph here.
const WEIGHTS: &str = "model.safetensors";

/// ONNX.
pub struct Onnx;

impl Exporter for Onnx {
    fn name(&self) -> &'static str {
        "onnx"
    }

    fn about(&self) -> &'static str {
        "a folder with model.onnx, for onnxruntime and Optimum"
    }

    fn numbers(&self) -> &'static [Numbers] {
        &[Numbers::Fp32, Numbers::Fp16, Numbers::Int8]
    }

    fn library(&self) -> Library {
        Library::OnnxRuntime
    }

    fn write(&self, model: &Kept, numbers: Numbers, to: &Path) -> Result<Vec<OsString>, ExecuteError> {
        let folder = model.folder();
        let config = ModelConfig::read(&folder.join("config.json"))?;
        let labels = Classifier::labels_of(folder)?;
        let parameters = Parameters::restore(&config, &labels, &folder.join(WEIGHTS))?;
        let mut names = write_onnx(&config, &parameters, numbers, LONGEST, to)?;
        names.extend(copy_files(folder, to, &[WEIGHTS])?);
        Ok(names)
    }
}

/// Writes a classifier as model.onnx to a folder, durably; if that would have more than `longest` bytes, at most [`LONGEST`], its weights as
/// model.onnx.data. Returns the names of the files.
///
/// # Errors
/// A file cannot be written, or a weight is too large for float16.
pub fn write_onnx(
    config: &ModelConfig,
    parameters: &Parameters,
    numbers: Numbers,
    longest: u64,
    folder: &Path,
) -> Result<Vec<OsString>, ExecuteError> {
    let (graph, constants) = classifier(config, parameters, numbers);
    let names = write(&graph, &constants, longest.min(LONGEST), folder)?;
    sync_folder(folder).map_err(|error| ExecuteError::Io { path: folder.into(), error })?;
    Ok(names)
}
