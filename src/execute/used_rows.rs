//! The rows that made a run's model what it is, read again from its data.

use std::path::Path;

use super::{data_files::data_files, verify::with_stored_paths};
use crate::{
    assets::{Library, Settings},
    data::{self, Row},
    plan::Keep,
    store::RunRecord,
};

/// The rows that made a model what it is: results on them are too good.
#[derive(Default)]
pub struct UsedRows {
    /// Those that it was trained on.
    pub trained: Vec<Row>,
    /// The dev rows that chose its checkpoint, the step at which it stopped, its temperature or its thresholds; empty if nothing was chosen.
    pub chose: Vec<Row>,
}

impl UsedRows {
    /// Those of a run, cleaned as for training. `None` if its data is missing or has changed; nothing is downloaded.
    pub fn of(record: &RunRecord, runs: &Path) -> Option<Self> {
        let config = with_stored_paths(record, runs).data;
        let mut library = Library::new(Settings::from_env(true).ok()?);
        let dataset = data::read_files(&data_files(&mut library, &config).ok()?, &config).ok()?;
        if record.environment.as_ref().is_none_or(|trained_with| trained_with.data_digest != dataset.digest) {
            return None;
        }
        let splits = data::split(&dataset, &config).ok()?;
        let rows = |of: &[u32]| of.iter().map(|row| dataset.rows[*row as usize].clone()).collect();
        let (checkpoint, train) = (&record.config.checkpoint, &record.config.train);
        let chooses = checkpoint.keep == Keep::Best || train.early_stopping_patience > 0 || record.decided.is_some();
        let dev: &[u32] = if chooses { &splits.dev } else { &[] };
        Some(Self { trained: rows(&splits.train), chose: rows(dev) })
    }
}
