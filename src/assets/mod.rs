//! The assets room: where models and data come from.
//!
//! [`model()`] and [`data()`] turn a [`Source`] into files on this machine: those of a folder as they are (`local`), those of
//! a repository of the Hugging Face hub from its cache or by download ([`Hub`]). Which files make a model is said once, in
//! `files`.

mod error;
mod files;
mod hub;
#[cfg(test)]
mod hub_tests;
mod local;

use std::path::PathBuf;

pub use error::AssetError;
pub use files::digest_file;
pub use hub::Hub;

use crate::plan::Source;

/// A model's files on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Folder that holds config.json, the weights and the tokenizer's files.
    pub folder: PathBuf,
    /// `model.safetensors` or `pytorch_model.bin` in that folder.
    pub weights: PathBuf,
    /// SHA-256, in hex, over names and digests of the files that are read: config.json, the weights, tokenizer.json (else
    /// vocab.txt) and tokenizer_config.json.
    pub digest: String,
    /// Commit of the repository it came from; none for a folder.
    pub revision: Option<String>,
}

/// A data file on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Commit of the repository it came from; none for a path.
    pub revision: Option<String>,
}

/// The files of the model that `source` names, downloaded where needed by the hub that the environment names.
///
/// # Errors
/// Whatever is missing, refused or unreachable; see [`AssetError`]. [`AssetError::NoFiles`] for `scratch:`, which is made and
/// not loaded.
pub fn model(source: &Source) -> Result<ModelFiles, AssetError> {
    match source {
        Source::Path(folder) => local::model(folder),
        Source::Hub { repo, revision } => Hub::from_env()?.model(repo, revision.as_deref()),
        Source::Scratch(_) => Err(AssetError::NoFiles(source.to_string())),
    }
}

/// The data file that `source` names; `file` chooses among those of a repository and belongs to `hf:` alone.
///
/// # Errors
/// As for [`model()`]; [`AssetError::SeveralDataFiles`] where a repository holds several and `file` says none.
pub fn data(source: &Source, file: Option<&str>) -> Result<DataFile, AssetError> {
    match source {
        Source::Path(path) => local::data(path, file),
        Source::Hub { repo, revision } => Hub::from_env()?.data(repo, revision.as_deref(), file),
        Source::Scratch(_) => Err(AssetError::NoFiles(source.to_string())),
    }
}
