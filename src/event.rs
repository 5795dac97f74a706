//! Events of a run: plain serialisable data without tensors. The trainer emits them; listeners act on them.

use serde::{Deserialize, Serialize};

use crate::{
    metrics::{Decision, Metric, Metrics, Probabilities, Target},
    warning::Warning,
};

/// A part of the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Rows the model learns from.
    Train,
    /// Rows for checkpoint selection and early stopping.
    Dev,
    /// Rows for testing only.
    Test,
}

/// The texts of a split, and how much of them is cut before a model reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitTexts {
    /// The split.
    pub split: Split,
    /// Its rows.
    pub rows: u64,
    /// Their tokens, special tokens included, before any is cut.
    pub tokens: u64,
    /// Rows of which tokens are cut.
    pub rows_cut: u64,
    /// Tokens that are cut.
    pub tokens_cut: u64,
    /// What the model reads, one at a time: as many as rows, or more if long texts are read in windows.
    pub windows: u64,
    /// Rows that are longer than was counted: very long texts, of which only the beginning is looked at. Above 0, `tokens` and
    /// `tokens_cut` are less than they would be.
    pub longer_than_counted: u64,
    /// Rows that were not counted, because training ended before they were needed: all other numbers but `rows` and `windows` are those of
    /// the other rows. 0 in records of earlier versions.
    #[serde(default)]
    pub uncounted: u64,
    /// How long its texts are; `None` where none was counted, and in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lengths: Option<TextLengths>,
}

/// How long texts are, in tokens, special tokens included, before any is cut. Of a text that is longer than was counted, as long as was
/// counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextLengths {
    /// Half of the texts are at most this long.
    pub median: u64,
    /// 95 texts in a hundred are at most this long.
    pub p95: u64,
    /// The longest.
    pub longest: u64,
}

impl SplitTexts {
    /// A split whose tokens are not counted yet.
    pub fn new(split: Split, rows: u64) -> Self {
        Self {
            split,
            rows,
            tokens: 0,
            rows_cut: 0,
            tokens_cut: 0,
            windows: rows,
            longer_than_counted: 0,
            uncounted: 0,
            lengths: None,
        }
    }

    /// The texts of this split and of another together; their lengths are not known.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self {
            split: self.split,
            rows: self.rows + other.rows,
            tokens: self.tokens + other.tokens,
            rows_cut: self.rows_cut + other.rows_cut,
            tokens_cut: self.tokens_cut + other.tokens_cut,
            windows: self.windows + other.windows,
            longer_than_counted: self.longer_than_counted + other.longer_than_counted,
            uncounted: self.uncounted + other.uncounted,
            lengths: None,
        }
    }
}

/// When an evaluation or probe took place, relative to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the first step.
    Before,
    /// During training, after the step that is given with it.
    During,
    /// With the kept weights.
    After,
}

/// One optimizer step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepCompleted {
    /// Number of the step, from 1.
    pub step: u64,
    /// Epoch of the step, from 1.
    pub epoch: u32,
    /// Training loss of the step's rows (mean), before the update.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Euclidean norm of the whole gradient, before clipping.
    pub grad_norm: f64,
    /// Real tokens in the step's rows.
    pub tokens: u64,
    /// Seconds of training since the run began, including those before it was resumed.
    pub elapsed_s: f64,
}

/// A row and its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Index of the row after cleaning, from 0.
    pub row: u32,
    /// Line of the data file on which the row begins, from 1.
    pub line: u64,
    /// Text of the row.
    pub text: String,
    /// Its second text, if the model reads two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// Its target: the id of its label, the ids of its labels, or its numbers.
    pub label: Target,
    /// What is predicted.
    pub predicted: Target,
    /// Probabilities of the labels.
    pub probabilities: Probabilities,
}

impl Prediction {
    /// How sure the model is, from 0 to 1: the probability of the predicted label; where a row may have several, the mean over the labels of the
    /// probability of what is predicted of each. `None` of numbers, and where the probability is not stored.
    pub fn confidence(&self) -> Option<f32> {
        confidence(&self.predicted, &self.probabilities)
    }
}

fn confidence(predicted: &Target, probabilities: &Probabilities) -> Option<f32> {
    match predicted {
        Target::Label(id) => probabilities.get(*id),
        Target::Labels(_) => {
            let (sum, n) = probabilities.iter().fold((0.0, 0.0), |(sum, n), (_, p)| (sum + p.max(1.0 - p), n + 1.0));
            (n > 0.0).then(|| sum / n)
        }
        Target::Values(_) => None,
    }
}

/// What was predicted for a row before training. The row's text and target are in its [`Prediction`] after training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionBefore {
    /// Index of the row after cleaning, from 0.
    pub row: u32,
    /// What is predicted.
    pub predicted: Target,
    /// Probabilities of the labels; where each row has one label, only those of the predicted label and of the row's own.
    pub probabilities: Probabilities,
}

impl PredictionBefore {
    /// As [`Prediction::confidence`].
    pub fn confidence(&self) -> Option<f32> {
        confidence(&self.predicted, &self.probabilities)
    }
}

impl From<Prediction> for PredictionBefore {
    fn from(p: Prediction) -> Self {
        let Prediction { row, label, predicted, probabilities, .. } = p;
        let probabilities = match (&label, &predicted) {
            (Target::Label(own), Target::Label(id)) => {
                let ids = [*id, *own].into_iter().take(1 + usize::from(own != id));
                Probabilities::named(ids.filter_map(|id| Some((id, probabilities.get(id)?))).collect())
            }
            _ => probabilities,
        };
        Self { row, predicted, probabilities }
    }
}

/// A temperature and thresholds that were chosen on the dev rows, with the metrics of the kept weights that follow from them. Those without
/// are in the evaluations after training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// What was chosen.
    pub decision: Decision,
    /// The metric by which thresholds were chosen; `None` without any.
    pub metric: Option<Metric>,
    /// The metrics of the dev rows, by which they were chosen.
    pub dev: Metrics,
    /// The metrics of the test rows.
    pub test: Option<Metrics>,
}

/// A probe sentence and its prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeScore {
    /// Position among the probes of the spec, from 0.
    pub position: u32,
    /// The sentence.
    pub text: String,
    /// The second sentence, if the model reads two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// What is expected, as the spec says it.
    pub expect: Option<String>,
    /// What is predicted, as [`Target::shown`] shows it; after training with the temperature and the thresholds of the run.
    pub predicted: String,
    /// Whether that is what is expected, in whichever order its labels are written; `None` if nothing is, and of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<bool>,
    /// The probability of the predicted label, if there is one: with thresholds not always the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// Probabilities of the labels.
    pub probabilities: Probabilities,
}

impl ProbeScore {
    /// The probability of the predicted label; `None` of numbers, and where none or several labels are predicted ([`Target::shown`]), which have
    /// no probability together.
    pub fn confidence(&self) -> Option<f32> {
        if self.confidence.is_some() {
            return self.confidence;
        }
        // Earlier versions did not store it: without thresholds it is the highest.
        let of_one = !self.predicted.contains(Target::SEPARATOR) && self.predicted != Target::NONE;
        (of_one && !self.probabilities.is_empty()).then(|| self.probabilities.highest())
    }

    /// Whether what is predicted is what was expected; `None` if nothing was, and of numbers.
    pub fn is_right(&self) -> Option<bool> {
        let expect = self.expect.as_ref().filter(|_| !self.probabilities.is_empty())?;
        // Earlier versions stored the expected text where it was right.
        Some(self.right.unwrap_or(*expect == self.predicted))
    }
}

/// A file of a kept model, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Its name in the model's folder.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
    /// When it was last modified, in nanoseconds of Unix time: while this and the size are unchanged, `taper run` does not read the file
    /// again. `None` if the file system does not provide it.
    pub modified_ns: Option<i64>,
}

/// Why a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// An error with its own message.
    Error,
    /// Memory ran out.
    Oom,
    /// The loss or the gradient was no longer finite.
    Diverged,
    /// The process exited without an error message.
    Crashed,
}

impl FailureKind {
    /// Its name in every view and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Oom => "oom",
            Self::Diverged => "diverged",
            Self::Crashed => "crashed",
        }
    }
}

/// A rule by which a sweep compares trials at a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrunedBy {
    /// With the median of earlier trials.
    Median,
    /// By rank: successive halving.
    Asha,
}

/// The comparison that ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrunedAt {
    /// The number of the rung, from 1.
    pub rung: u64,
    /// The rule.
    pub rule: PrunedBy,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The run completed.
    Completed,
    /// Stopped on request; it can continue from its checkpoint.
    Interrupted,
    /// Stopped by something that may not happen again: the command retries it at once, from its checkpoint.
    Retried,
    /// Reached a step at which its sweep decides which trials continue; waits there with a checkpoint.
    Paused {
        /// The step.
        step: u64,
    },
    /// Ended early by its sweep.
    Pruned {
        /// The reason, in one sentence.
        reason: String,
        /// The comparison at a rung; `None` if it ended because another run of its trial did, and in events of earlier versions.
        #[serde(flatten)]
        at: Option<PrunedAt>,
    },
    /// Stopped by a failure.
    Failed {
        /// The kind of failure.
        kind: FailureKind,
        /// The message for the user.
        message: String,
    },
}

/// An event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Training starts or resumes.
    RunStarted {
        /// Optimizer steps of the whole run.
        total_steps: u64,
        /// Optimizer steps of one epoch.
        steps_per_epoch: u64,
        /// Step of the checkpoint that the run resumes from.
        resumed_from: Option<u64>,
        /// Rows of (train, dev, test).
        rows: (u64, u64, u64),
        /// Trainable parameters.
        parameters: u64,
        /// Training rows of each label, by id.
        #[serde(default)]
        train_labels: Vec<u64>,
    },
    /// Something the user should know, such as a head that had to be initialised.
    Note {
        /// One sentence.
        message: String,
    },
    /// Legal input that is probably a mistake.
    Warned(Warning),
    /// An optimizer step was completed.
    StepCompleted(StepCompleted),
    /// Progress of an evaluation, for progress bars only.
    EvalProgress {
        /// Part of the data.
        split: Split,
        /// Rows done.
        done: u64,
        /// Rows in all.
        total: u64,
    },
    /// An evaluation was completed.
    EvalCompleted {
        /// Before, during or after training.
        when: When,
        /// Steps completed so far.
        step: u64,
        /// Epoch of that step; 0 before training.
        epoch: u32,
        /// Part of the data.
        split: Split,
        /// Its metrics.
        metrics: Metrics,
        /// Seconds it took.
        elapsed_s: f64,
    },
    /// The predictions of the final evaluation, row by row.
    Predicted {
        /// Part of the data.
        split: Split,
        /// One for each row.
        predictions: Vec<Prediction>,
    },
    /// What was predicted before training for the rows that are tested: those of the test split, or of the dev split if there is no other.
    PredictedBefore {
        /// Part of the data.
        split: Split,
        /// One for each row.
        predictions: Vec<PredictionBefore>,
    },
    /// The probe sentences were classified.
    ProbesScored {
        /// Before, during or after training.
        when: When,
        /// Steps completed so far.
        step: u64,
        /// One for each probe.
        scores: Vec<ProbeScore>,
    },
    /// A temperature or thresholds were chosen.
    Decided(Box<Decided>),
    /// How much of the texts was cut; when training has ended.
    TextsRead {
        /// Of each split that has rows.
        splits: Vec<SplitTexts>,
    },
    /// Training has ended, with these weights.
    WeightsKept {
        /// SHA-256 over names, shapes and values of all parameters, in hex.
        sha256: String,
    },
    /// The state of training is about to be written. Listeners first make everything they have received durable, so that a checkpoint never
    /// depends on a step that the database has lost.
    CheckpointStarted {
        /// Steps completed so far.
        step: u64,
    },
    /// The state of training is on disk: everything up to this step can be resumed.
    CheckpointSaved {
        /// Steps completed so far.
        step: u64,
    },
    /// The kept model was written; its files.
    ModelKept {
        /// Each of them.
        files: Vec<KeptFile>,
    },
    /// The run has ended; no event follows.
    RunFinished(Outcome),
}

impl Event {
    /// Whether training must wait until the event is on disk, because later steps rely on it.
    pub fn is_awaited(&self) -> bool {
        matches!(
            self,
            Self::EvalCompleted { .. }
                | Self::CheckpointStarted { .. }
                | Self::CheckpointSaved { .. }
                | Self::RunFinished(_)
        )
    }
}
