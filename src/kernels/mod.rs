//! The arithmetic of the model, on a stream of real tokens, `[tokens, features]`; attention is told where sequences begin.
//!
//! [`Backend`] is what the engine asks of a device: every layer's forward and backward, and the optimiser. [`Cpu`] is the one
//! for processors. [`mod@reference`] has the same operations in candle's differentiable tensors: slow, on every device, and what
//! the kernels are tested against.

mod backend;
mod cpu;
pub mod cuda;
mod dropout;
mod math;
mod precision;
pub mod reference;
mod slice;

pub use backend::{
    AdamW, Attention, Backend, Clip, Embedding, LayerNorm, Linear, Moments, Occurrence, Queries, Sums, Untouched,
};
pub use cpu::{Buffer, Cpu, CpuBatch, bf16_instructions};
pub use dropout::Dropout;
pub use math::{erf, exp, tanh};
pub use precision::instructions;
pub use slice::with_f32;
