//! The texts that a run was trained on, read again from its data.

use std::{mem, path::Path};

use super::{data_files::data_files, verify::with_stored_paths};
use crate::{
    assets::{Library, Settings},
    data,
    store::RunRecord,
};

/// The texts of a run's training rows, each with its second text where the model reads two, cleaned as for training. `None` if its data is missing or has changed; nothing is downloaded.
pub fn training_texts(record: &RunRecord, runs: &Path) -> Option<Vec<(String, Option<String>)>> {
    let config = with_stored_paths(record, runs).data;
    let mut library = Library::new(Settings::from_env(true).ok()?);
    let mut dataset = data::read_files(&data_files(&mut library, &config).ok()?, &config).ok()?;
    if record.environment.as_ref().is_none_or(|trained_with| trained_with.data_digest != dataset.digest) {
        return None;
    }
    let splits = data::split(&dataset, &config).ok()?;
    let texts = |row: &u32| {
        let row = &mut dataset.rows[*row as usize];
        (mem::take(&mut row.text), row.text_pair.take())
    };
    Some(splits.train.iter().map(texts).collect())
}
