//! The files of a model's folder.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{assets::digest_file, execute::ExecuteError};

const WEIGHTS: &str = "model.safetensors";

/// The files of a model's folder that it is read from, with what changes when they are written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    folder: PathBuf,
    stamps: Vec<(OsString, Stamp)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Of a file that was put in its place, another.
    inode: u64,
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

/// Other systems tell a new file by its size and time alone.
#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

impl Files {
    /// The current files; none if the folder cannot be read.
    pub fn now(folder: &Path) -> Self {
        let stamp = |entry: fs::DirEntry| {
            let metadata = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file)?;
            let stamp = Stamp { bytes: metadata.len(), modified: metadata.modified().ok(), inode: inode(&metadata) };
            Some((entry.file_name(), stamp))
        };
        let mut stamps: Vec<(OsString, Stamp)> =
            fs::read_dir(folder).into_iter().flatten().flatten().filter(is_of_model).filter_map(stamp).collect();
        stamps.sort();
        Self { folder: folder.into(), stamps }
    }

    /// The digests of all files.
    ///
    /// # Errors
    /// If one cannot be read, or there are no weights.
    pub fn digests(&self) -> Result<Digests, ExecuteError> {
        let mut all: Vec<(OsString, String)> = Vec::with_capacity(self.stamps.len());
        for (name, _) in &self.stamps {
            all.push((name.clone(), digest_file(&self.folder.join(name))?));
        }
        match all.iter().find(|(name, _)| name == WEIGHTS) {
            Some((_, weights)) => Ok(Digests { weights: weights.clone(), all }),
            // Returns the error for a missing file.
            None => Ok(Digests { weights: digest_file(&self.folder.join(WEIGHTS))?, all }),
        }
    }
}

/// SHA-256 of the files of a model, in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// The digest of the weights.
    pub weights: String,
    all: Vec<(OsString, String)>,
}

/// Whether a model may be read from this file: weights, configuration, decision, vocabulary.
fn is_of_model(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let ending = Path::new(&name).extension().and_then(|ending| ending.to_str());
    name == WEIGHTS || matches!(ending, Some("json" | "txt" | "model"))
}
