//! The rows that a run was trained on, read again from its data.

use std::path::Path;

use super::{data_files::data_files, verify::with_stored_paths};
use crate::{
    assets::{Library, Settings},
    data::{self, Row},
    store::RunRecord,
};

/// The rows that a run was trained on, cleaned as for training. `None` if its data is missing or has changed; nothing is downloaded.
pub fn training_rows(record: &RunRecord, runs: &Path) -> Option<Vec<Row>> {
    let config = with_stored_paths(record, runs).data;
    let mut library = Library::new(Settings::from_env(true).ok()?);
    let dataset = data::read_files(&data_files(&mut library, &config).ok()?, &config).ok()?;
    if record.environment.as_ref().is_none_or(|trained_with| trained_with.data_digest != dataset.digest) {
        return None;
    }
    let splits = data::split(&dataset, &config).ok()?;
    Some(splits.train.iter().map(|row| dataset.rows[*row as usize].clone()).collect())
}
