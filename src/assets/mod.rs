//! The assets room: where models and data come from.
//!
//! A [`Library`] turns a [`Source`] into files on this machine: those of a folder as they are (`local`), those of a repository
//! (`repository`; the Hugging Face `hub` or `modelscope`) or of the `web` from a cache or by download. Which files make a model
//! is said once, in `files`; the [`Lock`] beside a spec pins them.
//!
//! ```text
//! settings ─► Library ─► repository ─► hub, modelscope ─┐
//!               │  └───► web ───────────────────────────┴─► download ─► http ─► failure ─► origin ─► AssetError
//!              lock                                             └─► progress
//! ```

mod download;
mod endpoint;
mod error;
mod failure;
mod files;
mod hash;
mod http;
mod hub;
mod known;
mod library;
mod local;
mod lock;
mod modelscope;
mod origin;
mod probe;
mod progress;
mod repository;
mod server;
mod settings;
mod web;

use std::path::PathBuf;

pub use endpoint::{Endpoint, Token};
pub use error::AssetError;
pub use files::{FilePin, SMALL_FILES, extras_that_count};
pub use hash::digest_file;
pub use known::{KnownFiles, Unlike};
pub use library::{Library, Located};
pub use lock::{Lock, Pin, Use, differences};
pub use probe::{Answering, probe};
pub use progress::{Listener, Progress};
pub use repository::Suits;
pub use server::{Kind, Server};
pub use settings::{Patience, Settings};

#[cfg(doc)]
use crate::plan::Source;

/// A model's files on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Folder that holds config.json, the weights and the tokenizer's files.
    pub folder: PathBuf,
    /// `model.safetensors`, `pytorch_model.bin`, or `model.safetensors.index.json`, in that folder.
    pub weights: PathBuf,
    /// The files that the latter lists.
    pub shards: Vec<PathBuf>,
    /// SHA-256, in hex, over names and digests of the files that are read: config.json, the weights, tokenizer.json (else
    /// vocab.txt) and those that refine the tokenizer where they say anything: tokenizer_config.json, special_tokens_map.json,
    /// added_tokens.json.
    pub digest: String,
    /// Commit of the repository it came from; none for a folder.
    pub revision: Option<String>,
    /// Every file, by its name in the repository or folder.
    pub files: Vec<FilePin>,
}

/// A data file on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Commit of the repository it came from; none for others.
    pub revision: Option<String>,
    /// What it was found to be; none for a path.
    pub pin: Option<FilePin>,
}
