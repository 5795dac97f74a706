//! The files of a push on this machine.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::PushError;
use crate::assets::hash::hex;

/// A file on this machine.
pub(super) struct Local {
    pub name: String,
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    pub sha256: String,
    /// git's object name.
    git: String,
    /// Its first 512 bytes.
    pub start: Vec<u8>,
}

impl Local {
    /// Whether the hub's name of a content is that of this file.
    pub fn is(&self, oid: &str) -> bool {
        oid == self.sha256 || oid == self.git
    }

    fn read(path: PathBuf) -> io::Result<Self> {
        let mut file = fs::File::open(&path)?;
        let size = file.metadata()?.len();
        let mut start = Vec::new();
        (&mut file).take(512).read_to_end(&mut start)?;
        let (mut sha256, mut git) = (Sha256::new(), Sha1::new_with_prefix(format!("blob {size}\0")));
        sha256.update(&start);
        git.update(&start);
        let mut piece = vec![0; 1 << 20];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                n => {
                    sha256.update(&piece[..n]);
                    git.update(&piece[..n]);
                }
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, path, size, sha256: hex(&sha256.finalize()), git: hex(&git.finalize()), start })
    }
}

/// The files of a folder, by name, with their digests.
pub(super) fn files_of(folder: &Path) -> Result<Vec<Local>, PushError> {
    let at = |path: &Path, error| PushError::Io { path: path.into(), error };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| at(folder, e))? {
        let path = entry.map_err(|e| at(folder, e))?.path();
        files.push(Local::read(path.clone()).map_err(|e| at(&path, e))?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
