//! What can stop training, and as what that is stored.

use crate::format::{bytes, rate};

/// What can stop training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or the gradient is no longer finite.
    #[error("{what} is {value} at step {step} (lr {}): {advice}", rate(*lr))]
    Diverged {
        /// `the loss`, `the gradient's norm` or `the loss on held-out rows`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step.
        step: u64,
        /// Its learning rate.
        lr: f64,
        /// What to try.
        advice: String,
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
    #[error(transparent)]
    Export(Box<dyn std::error::Error + Send + Sync>),
    /// A listener could not take an event.
    #[error(transparent)]
    Listener(Box<dyn std::error::Error + Send + Sync>),
}

impl TrainError {
    /// The kind under which a failed run is stored.
    pub fn kind(&self) -> crate::event::FailureKind {
        use crate::event::FailureKind;
        match self {
            Self::Model(e) => model_failure(e),
            Self::Diverged { .. } => FailureKind::Diverged,
            Self::Candle(e) if is_out_of_memory(e) => FailureKind::Oom,
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

/// Whether candle failed for want of memory. It passes on what the driver of a device says, Metal's above all, and has no kind of its
/// own for this; so here, and nowhere else, a sentence is read. taper's own kernels have [`DeviceError`](crate::kernels::DeviceError).
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    error.to_string().to_lowercase().contains("out of memory")
}

#[cfg(test)]
mod tests {
    use candle_core::Error;

    use super::*;
    use crate::event::FailureKind;

    #[test]
    fn want_of_memory_is_told_from_candles_words_alone() {
        for (said, kind) in [
            ("CUDA_ERROR_OUT_OF_MEMORY: out of memory", FailureKind::Oom),
            ("Metal: Out of Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)", FailureKind::Oom),
            ("Insufficient Memory", FailureKind::Error),
            ("shape mismatch in matmul", FailureKind::Error),
        ] {
            assert_eq!(TrainError::Candle(Error::Msg(said.into())).kind(), kind, "{said}");
        }
        // The same words from elsewhere mean nothing.
        assert_eq!(TrainError::Export("out of memory".into()).kind(), FailureKind::Error);
    }
}
