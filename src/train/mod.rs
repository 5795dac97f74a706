//! The training room: a loop that turns batches into events.
//!
//! It knows nothing of who listens, of databases, progress bars or plots. What to do when (schedule, evaluation,
//! checkpoints, early stopping) is decided by pure functions in [`schedule`] and [`policy`].

mod checkpoint;
mod disk;
mod evaluate;
mod fit;
mod loss;
mod order;
pub mod policy;
mod resume;
pub mod schedule;

pub use checkpoint::{Saved, State, previous, read_state, write_state};
pub use disk::free_bytes;
pub use evaluate::{BATCH_TOKENS, Evaluation, evaluate, score_probes};
pub use fit::{Job, Outputs, ProbeText, fit, weights_digest};
pub use loss::{CrossEntropy, class_weights};
pub use order::{largest_part, reading_order, step_batches};
pub use resume::{Claim, Resumed, resume, resume_step};

use crate::format::bytes;

/// Version of the engine's arithmetic. It enters the run key: raise it whenever the same config gives other numbers.
pub const NUMERICS: u32 = 2;

/// What can stop training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or the gradient is no longer finite.
    #[error(
        "{what} is {value} at step {step} (lr {lr:e}): try a smaller train.lr, a warmup, or train.max_grad_norm = 1.0"
    )]
    Diverged {
        /// `the loss`, `the gradient's norm` or `the loss on held-out rows`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step.
        step: u64,
        /// Its learning rate.
        lr: f64,
    },
    /// A row could not be tokenised.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// The model could not be read or written.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// The state of training could not be read.
    #[error("{}: {message}", path.display())]
    State {
        /// The file with the state, or with the best weights.
        path: std::path::PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The disk has no room for a checkpoint.
    #[error(
        "{}: a checkpoint of this run takes {}, and its disk has {} free: free some room, then run the same command again",
        folder.display(), bytes(*needed), bytes(*free)
    )]
    NoRoom {
        /// The run's folder.
        folder: std::path::PathBuf,
        /// Bytes of a checkpoint.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The user asked to stop.
    #[error("stopped on request")]
    StopRequested,
    /// Arithmetic failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A model of `keep = all` could not be written.
    #[error("{0}")]
    Export(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A listener could not take an event.
    #[error("{0}")]
    Listener(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TrainError {
    /// The kind under which a failed run is stored.
    pub fn kind(&self) -> crate::event::FailureKind {
        use crate::event::FailureKind;
        match self {
            Self::Model(e) => model_failure(e),
            Self::Diverged { .. } => FailureKind::Diverged,
            Self::Candle(e) if e.to_string().to_lowercase().contains("out of memory") => FailureKind::Oom,
            _ => FailureKind::Error,
        }
    }
}

/// The same for a run whose model or device failed. A device that failed otherwise than for want of memory does nothing more for
/// this process, as if it had crashed.
pub fn model_failure(error: &crate::model::ModelError) -> crate::event::FailureKind {
    use crate::event::FailureKind;
    match error {
        e if e.is_out_of_memory() => FailureKind::Oom,
        e if e.is_of_a_lost_device() => FailureKind::Crashed,
        _ => FailureKind::Error,
    }
}

#[cfg(test)]
mod testing {
    //! Configs for the tests of this room: the defaults of the spec.

    use crate::plan::{CheckpointConfig, ClassWeights, Keep, Metric, Precision, Scheduler, TrainConfig};

    pub fn train() -> TrainConfig {
        TrainConfig {
            epochs: 1,
            max_steps: None,
            batch_size: 4,
            micro_batch_tokens: 2048,
            gradient_accumulation_steps: 1,
            precision: Precision::Fp32,
            lr: 1e-3,
            weight_decay: 0.01,
            no_decay: Vec::new(),
            betas: (0.9, 0.999),
            eps: 1e-8,
            scheduler: Scheduler::Constant,
            warmup_steps: 0,
            warmup_ratio: 0.0,
            max_grad_norm: 0.0,
            dropout: None,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            seed: 42,
            init_seed: 42,
            order_seed: 42,
            log_steps: 1,
            eval_steps: 0,
            early_stopping_patience: 0,
            early_stopping_min_delta: 0.0,
            freeze: Vec::new(),
        }
    }

    pub fn checkpoint() -> CheckpointConfig {
        CheckpointConfig { keep: Keep::Last, metric: Metric::Accuracy, every_steps: 0, every_minutes: 0.0 }
    }
}
