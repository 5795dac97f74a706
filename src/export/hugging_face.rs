//! A folder that transformers loads: config.json, model.safetensors and the tokenizer's files. It is what a run keeps.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::Path,
};

use super::{Exporter, whole::sync_folder};
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

    fn write(&self, model: &Kept, to: &Path) -> Result<Vec<OsString>, ExecuteError> {
        copy_files(model.folder(), to)
    }
}

/// Copies the files of a folder to another one; returns their names.
pub(super) fn copy_files(from: &Path, to: &Path) -> Result<Vec<OsString>, ExecuteError> {
    let at = |path: &Path, error| ExecuteError::Io { path: path.to_path_buf(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(|e| at(from, e))? {
        let name = entry.map_err(|e| at(from, e))?.file_name();
        let copy = to.join(&name);
        fs::copy(from.join(&name), &copy).and_then(|_| File::open(&copy)?.sync_all()).map_err(|e| at(&copy, e))?;
        names.push(name);
    }
    sync_folder(to).map_err(|e| at(to, e))?;
    Ok(names)
}
