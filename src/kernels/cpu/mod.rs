//! The kernels of the CPU: plain functions over slices, on all threads of rayon's pool.
//!
//! How a loop over rows is divided into tasks depends on shapes alone, and so does the order of every sum: results do not depend
//! on the number of threads. Threads take tasks one by one (`with_max_len`): one that wakes late, or meets longer rows, delays one
//! task, not half of the work. Loops are compiled once for each generation of vector instructions and chosen at run time.

mod activation;
mod attention;
mod attention_ops;
mod attention_tasks;
mod bf16;
mod buffer;
mod copy;
mod embedding;
mod head_products;
mod loss;
mod matmul;
mod memory;
mod norm;
mod optimizer;
mod packed;
mod pooling;
mod product_tile;
mod products;
mod relative;
mod relative_backward;
mod rotation;
mod rows;
mod tasks;
mod vector;
mod view;

use super::{MASK_WIDTH, Requirements, Sums};
use products::Products;
use rows::{add_bias, bias, column_sums, store, sum};
use view::View;

pub use buffer::Buffer;
pub use memory::CpuBatch;
pub use relative_backward::partial_values;

/// The largest sizes that the kernels take. Rows may have any width.
pub const LIMITS: Requirements = Requirements { norm_width: usize::MAX, head_width: usize::MAX, longest: MASK_WIDTH };

/// The CPU. By default all arithmetic is in f32.
#[derive(Default)]
pub struct Cpu {
    products: Products,
    sums: Sums,
    finished: Vec<Sums>,
    /// Memory for sums of groups of sequences.
    partial: Vec<f32>,
}

impl Cpu {
    /// With the products of affine maps that are not [`super::Linear::exact`] in bfloat16, summed in f32; all else stays f32. None on
    /// a processor without instructions for it.
    pub fn bf16() -> Option<Self> {
        bf16::level().map(|level| Self { products: Products::bf16(level), ..Self::default() })
    }

    /// The same, for a model that is not trained: weights are packed once, which takes their memory again. Then products of few rows
    /// are as fast as those of many, and the results of a row do not depend on those beside it.
    #[must_use]
    pub fn for_predictions(mut self) -> Self {
        self.products.keep_weights();
        self
    }
}

/// The instructions that [`Cpu::bf16`] uses, the fastest of this processor's: `amx-bf16` or `avx512-bf16`.
pub fn bf16_instructions() -> Option<&'static str> {
    bf16::level().map(bf16::Level::name)
}

/// Normal numbers for tests.
#[cfg(test)]
fn normal(seed: u64, n: usize) -> Vec<f32> {
    let stream = crate::random::Stream::new(seed, crate::random::Purpose::Init, 0, 0);
    (0..n).map(|i| stream.normal(i as u64) as f32).collect()
}
