//! The contract between the engine and a device, one file per group of operations.
//!
//! The engine (forward, backward, optimizer) is written once against [`Backend`], which is all the groups together. All
//! values are f32, all matrices row-major; `rows` is the number of rows of a buffer in use. Arguments that are written come
//! first; `fresh` gradients are written, others are added to what is there. The order of sums depends on shapes alone.
//!
//! Parameters are in one buffer: [`Linear`], [`LayerNorm`] and [`Table`] hold offsets into it, counted in values. Gradients and moments
//! are at the same offsets of their buffers.

mod activation;
mod attention;
mod copy;
mod embedding;
mod linear;
mod loss;
mod memory;
mod norm;
mod optimizer;
mod pooling;
mod rotation;
mod support;

pub use activation::{Activation, ActivationOps, BiasActivation, GatedActivation};
pub use attention::{Attend, Attention, AttentionBackward, AttentionOps, MASK_WIDTH, Queries, Relative};
pub use copy::{CopyOps, CopyRows};
pub use embedding::{Embed, EmbedBackward, Embedding, EmbeddingOps, Occurrence, Table, Untouched};
pub use linear::{Linear, LinearOps};
pub use loss::LossOps;
pub use memory::{Memory, Sums, TokenStream};
pub use norm::{AddNorm, AddNormBackward, LayerNorm, NormOps};
pub use optimizer::{AdamW, Clip, Moments, OptimizerOps};
pub use pooling::PoolingOps;
pub use rotation::{Rotation, RotationOps};
pub use support::{Requirements, Unsupported};

/// The kernels of a device: everything that the engine needs.
pub trait Backend:
    Memory
    + EmbeddingOps
    + LinearOps
    + RotationOps
    + CopyOps
    + AttentionOps
    + ActivationOps
    + NormOps
    + PoolingOps
    + LossOps
    + OptimizerOps
{
}
