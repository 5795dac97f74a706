//! A folder that transformers loads: config.json, model.safetensors and the tokenizer's files. It is what a run keeps.

use std::{ffi::OsString, path::Path};

use super::{Exporter, Library, Numbers, files::copy_files};
use crate::execute::{ExecuteError, Kept};

/// The format of Hugging Face's transformers.
pub struct HuggingFace;

impl Exporter for HuggingFace {
    fn name(&self) -> &'static str {
        "hf"
    }

    fn about(&self) -> &'static str {
        "a folder for transformers' from_pretrained"
    }

    fn numbers(&self) -> &'static [Numbers] {
        &[Numbers::Fp32]
    }

    fn library(&self) -> Library {
        Library::Transformers
    }

    fn write(&self, model: &Kept, _numbers: Numbers, to: &Path) -> Result<Vec<OsString>, ExecuteError> {
        copy_files(model.folder(), to, &[])
    }
}
