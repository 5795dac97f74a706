//! The training engine: gradients of a classifier, and the optimizer that uses them.
//!
//! [`Explicit`] has hand-written forward and backward passes over one stream of tokens without padding, in preallocated buffers, on a
//! device's kernels: the CPU's or an NVIDIA GPU's. [`Autograd`] computes the same with candle's tape on every device that candle supports;
//! the first is tested against it, and it is used where there are no kernels. `optimizer` and `apply` update the parameters of the first,
//! `tape_optimizer` those of the second.

mod angles;
mod apply;
mod autograd;
mod backward;
mod build;
mod distances;
mod explicit;
mod forward;
mod head;
mod layout;
mod memory;
mod optimizer;
mod recipe;
mod relative;
mod saved;
mod sites;
mod tape_optimizer;
mod workspace;

pub use autograd::Autograd;
pub use build::{Arithmetic, engine};
pub use explicit::Explicit;
pub use memory::{EVALUATION_TOKENS, MemorySpace, Workload, memory_bytes};
pub use recipe::Recipe;
use saved::found;
pub use tape_optimizer::AdamW;

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::{
    data::Batch,
    kernels::Sums,
    model::{DropoutPlan, ModelError, Named},
};

/// The optimizer's state beside parameters and moments: a resumed run needs it to continue bit for bit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OptimizerState {
    /// Updates so far.
    pub updates: u64,
    /// The accumulated weight decay of words that have never had a gradient: it is applied when they are read.
    pub untouched_decay: f64,
    /// Rows of the word embedding that have had a gradient, ascending; `None`: all have.
    pub touched_words: Option<Vec<u32>>,
}

/// A classifier that can be trained.
pub trait Engine {
    /// Logits `[rows][labels]`. Without a dropout plan there is no dropout. Nothing is kept for a backward pass.
    fn logits(&mut self, batch: &Batch, dropout: Option<DropoutPlan>) -> Result<Vec<Vec<f32>>, ModelError>;

    /// Logits `[rows][labels]` without dropout.
    fn scores(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, ModelError> {
        self.logits(batch, None)
    }

    /// The loss of one optimizer step, over the batches, and its gradients, which stay in the
    /// engine until the next step: [`Self::logits`] may be called between this and [`Self::update`]. Without a dropout plan there is no dropout.
    ///
    /// `targets[i]` are those of batch `i`, as [`crate::task::Objective::targets`] gives them, with the denominators of means in them: a loss is a sum.
    /// They are, by [`Recipe::loss`]:
    ///
    /// * [`crate::task::Loss::CrossEntropy`]: a factor of each label, `[rows, outputs]`. The loss is −Σ factor·(1 − p)^gamma·log p of
    ///   p = softmax(logits).
    /// * [`crate::task::Loss::BinaryCrossEntropy`]: factors a and b of each label, `[rows, outputs, 2]`. The loss is
    ///   −Σ (a·(1 − p)^gamma·log p + b·p^gamma·log(1 − p)) of p = σ(logits): a is for labels that a row has, b for those that it does not have.
    /// * [`crate::task::Loss::SquaredError`]: value and factor of each output, `[rows, outputs, 2]`. The loss is
    ///   Σ factor·(logits − value)².
    ///
    /// What has the factor 0 costs nothing.
    ///
    /// # Panics
    /// If the targets of an engine on taper's kernels do not have this size.
    fn gradients(
        &mut self,
        batches: &[Batch],
        targets: &[Vec<f32>],
        dropout: Option<DropoutPlan>,
    ) -> Result<f64, ModelError>;

    /// Euclidean norm of all gradients together, after [`Self::gradients`].
    fn norm(&mut self) -> Result<f64, ModelError>;

    /// One AdamW update at a learning rate, after [`Self::gradients`], which are clipped first.
    fn update(&mut self, lr: f64) -> Result<(), ModelError>;

    /// A whole step: [`Self::gradients`] and [`Self::update`], without waiting for the device. A step whose loss or gradient is
    /// not finite changes no parameter; the parameters are not usable after it.
    fn step(
        &mut self,
        batches: &[Batch],
        targets: &[Vec<f32>],
        dropout: Option<DropoutPlan>,
        lr: f64,
    ) -> Result<(), ModelError>;

    /// Sums of the steps that were not returned yet, oldest first: of all steps if `wait`, else of those that the device is known to have
    /// finished.
    fn finished(&mut self, wait: bool) -> Result<Vec<Sums>, ModelError>;

    /// The gradient of every trainable parameter, after [`Self::gradients`]; for tests and diagnosis.
    fn gradient(&self, name: &str) -> Result<Vec<f32>, ModelError>;

    /// The number of trained values.
    fn trainable(&self) -> u64;

    /// Every parameter under transformers' name, in its order.
    fn parameters(&self) -> Vec<Named<'_>>;

    /// Those that training changes, in the same order.
    fn trained_parameters(&self) -> Vec<Named<'_>>;

    /// Parameters, moments and the optimizer's other state, for [`Self::restore`].
    fn state(&self) -> (OptimizerState, Vec<Named<'_>>);

    /// Continues from a state: tensors by their names in [`Self::state`].
    fn restore(&mut self, state: &OptimizerState, tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError>;

    /// Replaces parameters by name; for use after training, since the moments are kept.
    fn set_parameters(&mut self, tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError>;
}

/// The device of an engine.
#[derive(Debug, Clone)]
pub enum Device {
    /// The processor.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
    /// Apple's GPU, through candle: taper has no kernels for it.
    Metal(candle_core::Device),
}

impl Device {
    /// The number of the `threads` threads that are idle while a step is computed on this device.
    pub fn idle_threads(&self, threads: usize) -> usize {
        match self {
            // All of them compute: one takes what is left over.
            Self::Cpu => 1,
            Self::Cuda(_) | Self::Metal(_) => threads,
        }
    }
}

/// Names of the moments in a state.
const MOMENTS: [&str; 2] = ["first_moment", "second_moment"];
