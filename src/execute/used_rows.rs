//! The rows that were used to train or select a run's model, read again from its data.

use std::path::Path;

use super::{data_files::data_files, verify::with_stored_paths};
use crate::{
    assets::{Library, Settings},
    data::{self, Row},
    plan::Keep,
    store::RunRecord,
};

/// The rows that were used to train or select a model: results on them are too good.
#[derive(Default)]
pub struct UsedRows {
    /// Those that it was trained on.
    pub trained: Vec<Row>,
    /// The dev rows, if they chose anything ([`chosen_on_dev`]).
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
        let dev: &[u32] = if chosen_on_dev(record).is_empty() { &[] } else { &splits.dev };
        Some(Self { trained: rows(&splits.train), chose: rows(dev) })
    }
}

/// Something of a run that its dev rows chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChosenOnDev {
    /// What it is called in a sentence: `its checkpoint`.
    pub name: &'static str,
    /// Whether the name is a plural.
    pub is_plural: bool,
}

/// What of a run was chosen by its dev rows.
pub fn chosen_on_dev(record: &RunRecord) -> Vec<ChosenOnDev> {
    let config = &record.config;
    let decided = record.decided.as_ref();
    let all = [
        (config.checkpoint.keep == Keep::Best, "its checkpoint", false),
        (config.train.early_stopping_patience > 0, "the step at which it stopped", false),
        (decided.is_some() && config.data.calibrate, "its temperature", false),
        (decided.is_some_and(|decided| decided.metric.is_some()), "its thresholds", true),
    ];
    let chosen = all.into_iter().filter(|(is_chosen, ..)| *is_chosen);
    chosen.map(|(_, name, is_plural)| ChosenOnDev { name, is_plural }).collect()
}
