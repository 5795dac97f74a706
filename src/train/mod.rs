//! The training loop, which turns batches into events.
//!
//! It does not depend on listeners, databases, progress bars or plots. Pure functions in [`schedule`] and [`policy`] decide when to
//! evaluate, save and stop, and which learning rate a step has.

mod answers;
mod checkpoint;
mod decided;
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

pub use answers::{Windows, answers, by_text, logits};
pub use checkpoint::{Checkpoint, TrainState, previous, read_state, write_state};
pub use disk::free_bytes;
pub use error::{TrainError, model_failure};
pub use evaluate::{Evaluation, ProbeText, evaluate, score_probes};
pub use fit::{Outputs, Training, fit, weights_digest};
pub use order::{largest_part, reading_order, step_batches, step_examples};
pub use resume::{ResumeCheck, Resumed, resume, resume_step};

/// Version of the engine's arithmetic. It enters the run key: raise it whenever the same config gives other numbers.
pub const NUMERICS: u32 = 2;
