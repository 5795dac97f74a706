//! Copies and writes files, durably.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::execute::ExecuteError;

/// Copies the files of a folder to another one, except those of these names; returns their names.
pub(super) fn copy_files(from: &Path, to: &Path, except: &[&str]) -> Result<Vec<OsString>, ExecuteError> {
    let at = |path: &Path, error| ExecuteError::Io { path: path.to_path_buf(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(|e| at(from, e))? {
        let name = entry.map_err(|e| at(from, e))?.file_name();
        if except.iter().any(|other| name == *other) {
            continue;
        }
        let copy = to.join(&name);
        fs::copy(from.join(&name), &copy).and_then(|_| File::open(&copy)?.sync_all()).map_err(|e| at(&copy, e))?;
        names.push(name);
    }
    sync_folder(to).map_err(|e| at(to, e))?;
    Ok(names)
}

/// Writes a text to a new file, durably.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), ExecuteError> {
    let written =
        File::create(path).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    let folder = path.parent().unwrap_or(path);
    written.and_then(|()| sync_folder(folder)).map_err(|error| ExecuteError::Io { path: path.into(), error })
}

/// Makes the names in a folder durable, if the system supports it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
