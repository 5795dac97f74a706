//! The folders of runs beside a database.

use std::{fs, path::Path};

use crate::format::KEY_DIGITS;

/// The number of folders of runs in a runs folder, whether or not there is a database.
pub fn folders_of_runs(runs: &Path) -> usize {
    let is_key = |name: &str| name.len() == KEY_DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit());
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_key));
    folders.filter(|entry| entry.path().join("run.toml").is_file()).count()
}
