//! The training engine: gradients of a classifier, and the optimiser that uses them.
//!
//! [`Explicit`] has hand-written forward and backward passes over one stream of tokens without padding, in preallocated buffers,
//! on the kernels of a device: the processor or an NVIDIA GPU. [`Autograd`] computes the same with candle's tape on every device
//! that candle has: the first is tested against it, and it runs where there are no kernels.

mod autograd;
mod backward;
mod explicit;
mod forward;
mod head;
mod layout;
mod memory;
mod optimizer;
mod update;
mod workspace;

pub use autograd::Autograd;
pub use explicit::Explicit;
pub use memory::{MemorySpace, Workload, memory_bytes};
pub use optimizer::AdamW;

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::{
    data::Batch,
    kernels::{
        Cpu, Sums,
        cuda::{self, Cuda, Factors},
    },
    model::{DropoutPlan, ModelConfig, ModelError, Named, Parameters},
    plan::{EngineKind, Precision, TrainConfig},
};

/// A run's hyperparameters as far as the engine uses them. The default is for a model that is not trained.
#[derive(Debug, Clone, Default)]
pub struct Recipe {
    /// Decay rates of AdamW's moments.
    pub betas: (f64, f64),
    /// AdamW's epsilon, outside the root.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Parameters whose name contains one of these are not decayed.
    pub no_decay: Vec<String>,
    /// The gradient is clipped to this norm; 0 disables clipping.
    pub max_grad_norm: f64,
    /// Frozen parameters, as `train.freeze` names them.
    pub freeze: Vec<String>,
    /// Precision of the inputs of matrix products.
    pub precision: Precision,
    /// What computes.
    pub engine: EngineKind,
}

impl Recipe {
    /// Whether weight decay applies to a parameter.
    fn decays(&self, name: &str) -> bool {
        !self.no_decay.iter().any(|part| name.contains(part.as_str()))
    }
}

impl From<&TrainConfig> for Recipe {
    fn from(train: &TrainConfig) -> Self {
        Self {
            betas: train.betas,
            eps: train.eps,
            weight_decay: train.weight_decay,
            no_decay: train.no_decay.clone(),
            max_grad_norm: train.max_grad_norm,
            freeze: train.freeze.clone(),
            precision: train.precision,
            engine: train.engine,
        }
    }
}

/// The optimiser's state beside parameters and moments: a resumed run needs it to continue bit for bit.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OptimizerState {
    /// Updates so far.
    pub updates: u64,
    /// The weight decay so far of words whose rows have never had a gradient: it is applied when they are read.
    pub untouched_decay: f64,
    /// Rows of the word embedding that have had a gradient, ascending; none: all have.
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

    /// The loss of one optimiser step, −Σ targets·log softmax(logits) over the batches, and its gradients, which stay in the
    /// engine until the next step: [`Self::logits`] may be called between this and [`Self::update`]. `targets[i]` is
    /// `[rows, labels]` of batch `i`. Without a dropout plan there is no dropout.
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

    /// Sums of the steps that were not returned yet, oldest first: of all steps if `wait`, else of those that the device is known
    /// to have finished.
    fn finished(&mut self, wait: bool) -> Result<Vec<Sums>, ModelError>;

    /// The gradient of every trainable parameter, after [`Self::gradients`]; for tests and diagnosis.
    fn gradient(&self, name: &str) -> Result<Vec<f32>, ModelError>;

    /// The number of trained values.
    fn trainable(&self) -> u64;

    /// Every parameter under transformers' name, in its order.
    fn parameters(&self) -> Vec<Named<'_>>;

    /// Those that training changes, in the same order.
    fn trained_parameters(&self) -> Vec<Named<'_>>;

    /// Parameters, moments and the optimiser's other state, for [`Self::restore`].
    fn state(&self) -> (OptimizerState, Vec<Named<'_>>);

    /// Continues from a state: tensors by their names in [`Self::state`].
    fn restore(&mut self, state: &OptimizerState, tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError>;

    /// Replaces parameters by name; for use after training, since the moments are kept.
    fn set_parameters(&mut self, tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError>;
}

/// Where an engine computes.
#[derive(Debug, Clone)]
pub enum Device {
    /// The processor.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
    /// Apple's GPU, which candle computes on: taper has no kernels for it.
    Metal(candle_core::Device),
}

/// The engine for a device.
///
/// # Errors
/// A precision that the device does not have, a device that cannot be opened, no memory.
pub fn engine(
    config: &ModelConfig,
    parameters: Parameters,
    recipe: &Recipe,
    device: &Device,
) -> Result<Box<dyn Engine>, ModelError> {
    if recipe.engine == EngineKind::Candle {
        return Ok(Box::new(Autograd::new(config, parameters, recipe, &candle_device(device, recipe.precision)?)?));
    }
    Ok(match (device, recipe.precision) {
        (Device::Cuda(ordinal), precision) => {
            let factors = match precision {
                Precision::Fp32 => Factors::F32,
                Precision::Tf32 => Factors::Tf32,
                Precision::Bf16 => Factors::Bf16,
            };
            let backend = Cuda::new(cuda::Device::open(*ordinal, factors)?, factors)?;
            Box::new(Explicit::new(backend, config, parameters, recipe)?)
        }
        (Device::Metal(_), _) => return Err(ModelError::NoKernels),
        (Device::Cpu, Precision::Tf32) => return Err(ModelError::NoTf32),
        (Device::Cpu, Precision::Fp32) => Box::new(Explicit::new(Cpu::default(), config, parameters, recipe)?),
        (Device::Cpu, Precision::Bf16) => {
            let cpu = Cpu::bf16().ok_or(ModelError::NoBf16)?;
            Box::new(Explicit::new(cpu, config, parameters, recipe)?)
        }
    })
}

/// Where candle computes; in float32 alone.
fn candle_device(device: &Device, precision: Precision) -> Result<candle_core::Device, ModelError> {
    match (precision, device) {
        (Precision::Tf32, _) => Err(ModelError::NoTf32),
        (Precision::Bf16, _) => Err(ModelError::NoBf16),
        (Precision::Fp32, Device::Cpu) => Ok(candle_core::Device::Cpu),
        (Precision::Fp32, Device::Metal(device)) => Ok(device.clone()),
        (Precision::Fp32, Device::Cuda(ordinal)) => Ok(candle_core::Device::new_cuda(*ordinal)?),
    }
}

/// A tensor of a state, of the size wanted.
fn found(tensors: &mut BTreeMap<String, Tensor>, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
    match tensors.remove(name) {
        Some(tensor) if tensor.dims() == shape => Ok(tensor),
        _ => {
            let problems = format!("  {name}: missing, or of another shape than {shape:?}");
            Err(ModelError::Tensors { path: "checkpoint".into(), problems })
        }
    }
}

/// Names of the moments in a state.
const MOMENTS: [&str; 2] = ["first_moment", "second_moment"];
