//! Writes files atomically.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::ReportError;

/// Writes `bytes` to a temporary file beside `path` and renames it to `path`.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    replace(path, |temporary| fs::write(temporary, bytes))
}

/// Calls `write_to` with a temporary path beside `path` (with the same extension) and renames the result to `path`.
pub fn replace(path: &Path, write_to: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), ReportError> {
    let temporary = neighbour(path);
    write_to(&temporary).and_then(|()| fs::rename(&temporary, path)).map_err(|error| {
        // An incomplete file is useless; it may not exist.
        let _ = fs::remove_file(&temporary);
        ReportError::Write { path: path.to_path_buf(), error }
    })
}

fn neighbour(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".writing-{name}"))
}
