//! The records that a report is computed from.

use serde_json::Value;

use super::{fold_rows::FoldRows, row_names::RowNames};
use crate::{
    event::{PredictionBefore, Split, When},
    metrics::Metrics,
    plan::Source,
    store::{
        DataAudit, EvalRecord, ExperimentRecord, PredictionRecord, ProbeRecord, RunRecord, StepRecord, Store,
        StoreError,
    },
    warning::Warning,
};

/// Everything stored of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportInput {
    /// The experiment.
    pub experiment: ExperimentRecord,
    /// Its runs, in the plan's order.
    pub runs: Vec<RunInput>,
    /// What the rows of folds say together, of trials whose predictions are not among these.
    pub folds: FoldRows,
    /// Whether the texts of rows were left out ([`Self::without_texts`]).
    pub leaves_texts_out: bool,
}

/// Everything stored of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInput {
    /// The run.
    pub run: RunRecord,
    /// Its steps, in order; of a run whose curves are not drawn, at least the last ones.
    pub steps: Vec<StepRecord>,
    /// Its evaluations, in order.
    pub evals: Vec<EvalRecord>,
    /// Its probes, in order.
    pub probes: Vec<ProbeRecord>,
    /// The rows of its final evaluation; none of runs of trials that rank far behind.
    pub predictions: Vec<PredictionRecord>,
    /// What names these rows where their texts were left out ([`ReportInput::without_texts`]).
    pub row_names: RowNames,
    /// What was predicted before training for these rows; empty in records of earlier versions.
    pub before: Vec<PredictionBefore>,
    /// Warnings stored with it.
    pub warnings: Vec<Warning>,
    /// What was found in its data; `None` in records of earlier versions.
    pub audit: Option<DataAudit>,
}

impl RunInput {
    /// Everything that the store has of a run.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn read(store: &Store, run: RunRecord) -> Result<Self, StoreError> {
        Ok(Self {
            steps: store.steps(&run.key)?,
            evals: store.evals(&run.key)?,
            probes: store.probes(&run.key, &run.config.probes)?,
            predictions: store.predictions(&run.key, run.measured_on())?,
            row_names: RowNames::default(),
            before: store.predictions_before(&run.key, run.measured_on())?,
            warnings: store.warnings(&run.key)?,
            audit: store.audit(&run.key)?,
            run,
        })
    }

    /// The split of the final evaluation.
    pub(super) fn measured_on(&self) -> Split {
        self.run.measured_on()
    }

    /// The name of the file with the rows of the final evaluation.
    pub(super) fn file_of_rows(&self) -> String {
        let data = &self.run.config.data;
        let own = match self.measured_on() {
            Split::Test => data.test.source(),
            Split::Dev => data.dev.source(),
            Split::Train => None,
        };
        match own.unwrap_or(&data.source) {
            Source::Path(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            source => source.shown(),
        }
    }

    /// The evaluation before the first step, on the split of the final one.
    pub(super) fn before(&self) -> Option<&Metrics> {
        let split = self.measured_on();
        self.evals.iter().find(|e| e.when == When::Before && e.split == split).map(|e| &e.metrics)
    }

    /// Seconds of training without interruptions; wall-clock time where no step is stored.
    pub(super) fn seconds(&self) -> Option<f64> {
        let wall = || Some(self.run.finished_at? - self.run.started_at?);
        self.steps.last().map(|s| s.elapsed_s).or_else(wall)
    }
}

/// The name of a split in a sentence.
pub(super) fn split_name(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Dev => "dev",
        Split::Test => "test",
    }
}

/// `[report]`: how the report looks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// Title; the experiment's name where absent.
    pub title: Option<String>,
    /// Weight of the past in the smoothed loss curve, in [0, 1).
    pub smoothing: f64,
    /// Most confident mistakes listed.
    pub mistakes: usize,
}

impl Settings {
    /// Reads the settings from the record. A key that is missing or has the wrong type gets its default (0.9, 20): a report
    /// with default settings is better than an error.
    pub fn of(experiment: &ExperimentRecord) -> Self {
        let get = |key: &str| experiment.report.get(key).filter(|v| !v.is_null());
        Self {
            title: get("title").and_then(Value::as_str).filter(|t| !t.trim().is_empty()).map(String::from),
            smoothing: get("smoothing").and_then(Value::as_f64).unwrap_or(0.9).clamp(0.0, 0.9999),
            mistakes: get("mistakes").and_then(Value::as_u64).unwrap_or(20) as usize,
        }
    }
}
