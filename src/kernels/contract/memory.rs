//! Buffers, batches, and what a step adds up.

use std::{borrow::Cow, ops::Range};

use super::super::DeviceError;

/// The tokens of a batch: its sequences one after the other, without padding.
#[derive(Debug, Clone, Copy)]
pub struct TokenStream<'a> {
    /// Token ids, `[tokens]`: rows of the word table.
    pub ids: &'a [u32],
    /// Rows of the position table, `[tokens]`.
    pub positions: &'a [u32],
    /// Rows of the token type table, `[tokens]`.
    pub token_types: &'a [u32],
    /// Sequence `i` is tokens `offsets[i]..offsets[i + 1]`; `[sequences + 1]`.
    pub offsets: &'a [u32],
}

/// The memory of a device, and the order of its work.
pub trait Memory: Send {
    /// f32 values on the device.
    type Buffer: Send;
    /// The tokens of a batch on the device.
    type Batch;

    /// Runs work that calls many kernels, on the thread where that is cheapest.
    fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    /// A buffer of `len` zeros.
    fn zeros(&self, len: usize) -> Self::Buffer;
    /// Like [`Self::zeros`], for parameters, gradients or moments: the first `dense` values are used in every step, the rest may never be
    /// touched.
    fn zeros_of_parameters(&self, len: usize, dense: usize) -> Self::Buffer;
    /// Copies `values` into a buffer, from offset `at` on.
    fn write(&self, buffer: &mut Self::Buffer, at: usize, values: &[f32]);
    /// The values of a range of a buffer.
    fn read<'a>(&self, buffer: &'a Self::Buffer, range: Range<usize>) -> Cow<'a, [f32]>;
    /// Sets the first `len` values to zero.
    fn clear(&self, buffer: &mut Self::Buffer, len: usize);
    /// Copies a batch to the device.
    fn batch(&mut self, tokens: TokenStream) -> Self::Batch;
    /// Announces that parameters were written with [`Self::write`], so that values derived from them are out of date. Not needed after
    /// updates.
    fn parameters_written(&mut self);
    /// The first failure of the device, after which none of its results can be used.
    ///
    /// # Errors
    /// That failure.
    fn health(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Begins a step: its sums are 0.
    fn begin_step(&mut self);
    /// The sums of the current step so far.
    fn sums(&mut self) -> Sums;
    /// Ends the step: [`Self::finished`] will return its sums.
    fn end_step(&mut self);
    /// Sums of ended steps that were not returned yet, oldest first: of all of them if `wait`, else of those that are known.
    fn finished(&mut self, wait: bool) -> Vec<Sums>;
}

/// What a step adds up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// The loss.
    pub loss: f64,
    /// The squares of the gradient's values.
    pub squares: f64,
}

impl Sums {
    /// Euclidean norm of the gradient.
    pub fn norm(self) -> f64 {
        self.squares.sqrt()
    }

    /// Whether the step can be used.
    pub fn are_finite(self) -> bool {
        self.loss.is_finite() && self.squares.is_finite()
    }
}
