//! Errors that stop training, and the failure kind that is stored for each.

use crate::format::{bytes, count, rate};

/// An error that stops training.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or the gradient is no longer finite.
    #[error("{what} is {value} at step {} (lr {}): {advice}", count(*step), rate(*lr))]
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
        "{}: a checkpoint of this run takes {}, and its disk has {} free: free up space, then run the same command again",
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

/// The kind under which a run is stored whose model or device failed. A device error other than lack of memory counts as a crash: the
/// device is unusable for the rest of this process.
pub fn model_failure(error: &crate::model::ModelError) -> crate::event::FailureKind {
    use crate::event::FailureKind;
    match error {
        e if e.is_out_of_memory() => FailureKind::Oom,
        e if e.is_of_a_lost_device() => FailureKind::Crashed,
        _ => FailureKind::Error,
    }
}

/// Whether candle failed for lack of memory. It has no error kind for this and passes on the message of the device's driver (above all
/// Metal's), so the message is searched, here and nowhere else. taper's own kernels have [`DeviceError`](crate::kernels::DeviceError).
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    error.to_string().to_lowercase().contains("out of memory")
}

#[cfg(test)]
mod tests {
    use candle_core::Error;

    use super::*;
    use crate::event::FailureKind;

    #[test]
    fn lack_of_memory_is_recognised_in_messages_of_candle_only() {
        for (message, kind) in [
            ("CUDA_ERROR_OUT_OF_MEMORY: out of memory", FailureKind::Oom),
            ("Metal: Out of Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)", FailureKind::Oom),
            ("Insufficient Memory", FailureKind::Error),
            ("shape mismatch in matmul", FailureKind::Error),
        ] {
            assert_eq!(TrainError::Candle(Error::Msg(message.into())).kind(), kind, "{message}");
        }
        // The same message from another source means nothing.
        assert_eq!(TrainError::Export("out of memory".into()).kind(), FailureKind::Error);
    }
}
