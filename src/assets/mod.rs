//! Finds and downloads models and data, and uploads models.
//!
//! A [`Library`] turns a [`Source`] into local files: those of a folder (`local`), of a repository (`repository`; the Hugging Face `hub`
//! or `modelscope`) or of the `web`, from a cache or by download. `files` decides which files a model consists of; the [`Lock`] beside a
//! spec pins them.
//!
//! ```text
//! settings ─► Library ─► repository ─► hub, modelscope ─┐
//!               │  └───► web ───────────────────────────┴─► download ─► http ─► failure ─► explained ─► AssetError
//!              lock                                             └─► progress
//! ```

mod cards;
mod download;
mod endpoint;
mod error;
mod explained;
mod failure;
mod files;
mod hash;
mod http;
mod hub;
mod instead;
mod known;
mod library;
mod local;
mod lock;
mod modelscope;
mod named_splits;
mod probe;
mod progress;
mod push;
mod repository;
mod server;
mod settings;
mod web;

use std::{collections::BTreeMap, path::PathBuf};

pub use cards::card_at_hand;
pub use endpoint::{Endpoint, Token};
pub use error::AssetError;
pub use files::{FilePin, SMALL_FILES, extras_that_count, vocabularies_that_count};
pub use hash::digest_file;
pub use known::{KnownFiles, Unlike};
pub use library::{Library, Located};
pub use lock::{Lock, Pin, Use, differences};
pub use probe::{Answering, probe};
pub use progress::{Listener, Progress};
pub use push::{Change, Push, PushError, Pushed, PushedFile, Remote, Site, look, push, unasked};
pub use repository::Suits;
pub use server::{Kind, Server};
pub use settings::{Patience, Settings};

#[cfg(doc)]
use crate::plan::Source;

/// A model's local files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Folder with config.json, the weights and the tokenizer's files.
    pub folder: PathBuf,
    /// `model.safetensors`, `pytorch_model.bin`, or `model.safetensors.index.json`, in that folder.
    pub weights: PathBuf,
    /// The files in that index.
    pub shards: Vec<PathBuf>,
    /// SHA-256, in hex, over names and digests of the files that are read: config.json, the weights, tokenizer.json (else vocab.txt and the other vocabularies) and those
    /// of tokenizer_config.json, special_tokens_map.json and added_tokens.json that affect
    /// tokens.
    pub digest: String,
    /// Commit of the repository; `None` for a folder.
    pub revision: Option<String>,
    /// Every file, by its name in the repository or folder.
    pub files: Vec<FilePin>,
}

/// The local files of a dataset, by split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// The files of each split that was asked for, in that order.
    pub splits: Vec<Vec<PathBuf>>,
    /// The configuration that was chosen.
    pub config: Option<String>,
    /// Names of the values 0, 1, … of columns of class labels, as the card of the dataset says.
    pub classes: BTreeMap<String, Vec<String>>,
}

/// A local data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its path.
    pub path: PathBuf,
    /// Commit of the repository; `None` for other sources.
    pub revision: Option<String>,
    /// Its resolved state; `None` for a path.
    pub pin: Option<FilePin>,
}
