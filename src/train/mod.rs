//! The training room: a loop that turns batches into events.
//!
//! It knows nothing of who listens, of databases, progress bars or plots. What to do when (schedule, evaluation,
//! checkpoints, early stopping) is decided by pure functions in [`schedule`] and [`policy`].

mod checkpoint;
mod disk;
mod error;
mod evaluate;
mod fit;
mod order;
pub mod policy;
mod resume;
pub mod schedule;
#[cfg(test)]
mod testing;

pub use checkpoint::{Saved, State, previous, read_state, write_state};
pub use disk::free_bytes;
pub use error::{TrainError, model_failure};
pub use evaluate::{Evaluation, ProbeText, evaluate, score_probes};
pub use fit::{Job, Outputs, fit, weights_digest};
pub use order::{largest_part, reading_order, step_batches};
pub use resume::{Claim, Resumed, resume, resume_step};

/// Version of the engine's arithmetic. It enters the run key: raise it whenever the same config gives other numbers.
pub const NUMERICS: u32 = 2;
