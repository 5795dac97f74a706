//! Commands that convert a file to CSV.

use std::path::Path;

/// The command that converts a file to CSV with the pandas reader of this name.
pub(super) fn pandas(reader: &str, path: &Path) -> String {
    let (from, to) = (path.display(), csv_name(path));
    format!("python -c \"import pandas; pandas.read_{reader}('{from}').to_csv('{to}', index=False)\"")
}

/// The name of the CSV that a file is converted to.
pub(super) fn csv_name(path: &Path) -> String {
    format!("{}-converted.csv", path.file_stem().unwrap_or_default().display())
}
