//! The arithmetic of the model, on a stream of real tokens, `[tokens, features]`; attention knows where sequences begin.
//!
//! [`Backend`] is what the engine needs of a device: every layer's forward and backward, and the optimizer. It is a trait for
//! each group of operations (`contract`, one file each); [`Cpu`] implements them for processors and [`cuda::Cuda`] for NVIDIA
//! GPUs, in files of the same names, except for the CPU's `LinearOps` (`products`) and `AttentionOps` (`attention_ops`). What a device's kernels have limits for is [`Requirements`]: [`CPU_LIMITS`], [`cuda::LIMITS`].
//!
//! [`mod@reference`] has the same operations in candle's differentiable tensors: slow, on every device, and what the kernels are
//! tested against.

mod contract;
mod cpu;
pub mod cuda;
mod dropout;
mod error;
mod math;
mod precision;
pub mod reference;
mod slice;

pub use contract::{
    Activation, ActivationOps, AdamW, AddNorm, AddNormBackward, Attend, Attention, AttentionBackward, AttentionOps,
    Backend, BiasActivation, Clip, CopyOps, CopyRows, Embed, EmbedBackward, Embedding, EmbeddingOps, GatedActivation,
    LayerNorm, Linear, LinearOps, LossOps, MASK_WIDTH, Memory, Moments, NormOps, Occurrence, OptimizerOps, PoolingOps,
    Queries, Relative, Requirements, Rotation, RotationOps, Sums, Table, TokenStream, Unsupported, Untouched,
};
pub use cpu::{Buffer, Cpu, CpuBatch, LIMITS as CPU_LIMITS, bf16_instructions, partial_values};
pub use dropout::Dropout;
pub use error::DeviceError;
pub use math::{erf, exp, tanh};
pub use precision::instructions;
pub use slice::with_f32;
