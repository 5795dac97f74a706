//! Files that are there whole or not at all.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::ReportError;

/// Writes `bytes` to a neighbour of `path` and puts that in its place.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    replace(path, |temporary| fs::write(temporary, bytes))
}

/// Lets `make` write a neighbour of `path` (of the same ending) and puts that in its place.
pub fn replace(path: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), ReportError> {
    let temporary = neighbour(path);
    make(&temporary).and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        // What is half written is of no use; that it may be gone already is no error.
        let _ = fs::remove_file(&temporary);
        ReportError::Write { path: path.to_path_buf(), error }
    })
}

fn neighbour(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".writing-{name}"))
}
