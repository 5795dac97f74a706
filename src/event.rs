//! What a run reports while it trains: plain serialisable data, no tensors. The trainer emits, listeners decide.

use serde::{Deserialize, Serialize};

use crate::{
    metrics::{Metrics, Probabilities},
    warning::Warning,
};

/// A part of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Rows the model learns from.
    Train,
    /// Rows that choose the checkpoint and stop early.
    Dev,
    /// Rows that are only ever measured.
    Test,
}

/// When an evaluation or a probe was made, relative to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the first step.
    Before,
    /// While training, after the step that stands beside it.
    During,
    /// With the weights that are kept.
    After,
}

/// One optimiser step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepCompleted {
    /// Number of the step, from 1.
    pub step: u64,
    /// Number of the epoch that the step belongs to, from 1.
    pub epoch: u32,
    /// Training loss of the step's rows (mean), before the update.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Euclidean norm of the whole gradient, before clipping.
    pub grad_norm: f64,
    /// Real tokens in the step's rows.
    pub tokens: u64,
    /// Training seconds since the run began, those before a resumption included.
    pub elapsed_s: f64,
}

/// One row as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Index of the row after cleaning, from 0.
    pub row: u32,
    /// Line of the data file on which the row begins, from 1.
    pub line: u64,
    /// Text of the row.
    pub text: String,
    /// Id of the label it has.
    pub label: u32,
    /// Id of the label it was given.
    pub predicted: u32,
    /// Probabilities of the labels.
    pub probabilities: Probabilities,
}

/// A probe sentence as the model sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeScore {
    /// Position among the probes of the spec, from 0.
    pub position: u32,
    /// The sentence.
    pub text: String,
    /// Name of the expected label, where the spec gives one.
    pub expect: Option<String>,
    /// Name of the label it was given.
    pub predicted: String,
    /// Probabilities of the labels.
    pub probabilities: Probabilities,
}

/// A file of a model as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Its name in the model's folder.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of them, in hex.
    pub sha256: String,
    /// When it was last written to, in nanoseconds of Unix time: while this and the size are the same, `taper run` takes the
    /// file for what it was without reading it. None where the file system does not tell.
    pub modified_ns: Option<i64>,
}

/// Why a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// An error with a message of its own.
    Error,
    /// Memory ran out.
    Oom,
    /// The loss or the gradient was no longer finite.
    Diverged,
    /// The process ended without a word.
    Crashed,
}

impl FailureKind {
    /// The word for it, in every view and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Oom => "oom",
            Self::Diverged => "diverged",
            Self::Crashed => "crashed",
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Everything planned was done.
    Completed,
    /// Stopped on request; goes on from its checkpoint.
    Interrupted,
    /// Broken off by something that may not happen again: the command tries it again at once, from its checkpoint.
    Retried,
    /// Reached a step at which its sweep decides who goes on; waits there with a checkpoint.
    Paused {
        /// That step.
        step: u64,
    },
    /// Ended by its sweep before its time.
    Pruned {
        /// Why, in one sentence.
        reason: String,
    },
    /// Stopped by a failure.
    Failed {
        /// Of what kind.
        kind: FailureKind,
        /// What to tell the user.
        message: String,
    },
}

/// What happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Training is about to begin, or to go on.
    RunStarted {
        /// Optimiser steps of the whole run.
        total_steps: u64,
        /// Optimiser steps of one epoch.
        steps_per_epoch: u64,
        /// Step of the checkpoint the run goes on from.
        resumed_from: Option<u64>,
        /// Rows of (train, dev, test).
        rows: (u64, u64, u64),
        /// Trainable parameters.
        parameters: u64,
        /// Training rows of each label, by id.
        #[serde(default)]
        train_labels: Vec<u64>,
    },
    /// Something the user should know (a head that had to be initialised, say).
    Note {
        /// One sentence.
        message: String,
    },
    /// Something legal that is probably a mistake.
    Warned(Warning),
    /// An optimiser step was made.
    StepCompleted(StepCompleted),
    /// An evaluation goes on: for progress bars only.
    EvalProgress {
        /// Part of the data.
        split: Split,
        /// Rows done.
        done: u64,
        /// Rows in all.
        total: u64,
    },
    /// An evaluation was made.
    EvalCompleted {
        /// Before, during or after training.
        when: When,
        /// Steps made so far.
        step: u64,
        /// Epoch of that step; 0 before training.
        epoch: u32,
        /// Part of the data.
        split: Split,
        /// Its figures.
        metrics: Metrics,
        /// Seconds it took.
        elapsed_s: f64,
    },
    /// The final evaluation row by row.
    Predicted {
        /// Part of the data.
        split: Split,
        /// One for each row.
        predictions: Vec<Prediction>,
    },
    /// The probe sentences were classified.
    ProbesScored {
        /// Before, during or after training.
        when: When,
        /// Steps made so far.
        step: u64,
        /// One for each probe.
        scores: Vec<ProbeScore>,
    },
    /// Training is over and these weights are what remains of it.
    WeightsKept {
        /// SHA-256 over names, shapes and values of all parameters, in hex.
        sha256: String,
    },
    /// The state of training is about to be written. Listeners first make durable what they hold, so that a checkpoint
    /// never knows of a step that the log has lost.
    CheckpointStarted {
        /// Steps made so far.
        step: u64,
    },
    /// The state of training is on disk: everything up to this step survives.
    CheckpointSaved {
        /// Steps made so far.
        step: u64,
    },
    /// The model is written: what its files were then.
    ModelKept {
        /// Each of them.
        files: Vec<KeptFile>,
    },
    /// Nothing more comes.
    RunFinished(Outcome),
}

impl Event {
    /// Whether training has to wait until the event is on disk: what comes next builds on its being there.
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
