//! From rows of tokens to rows of sequences.

use super::Memory;

/// The first token of each sequence, or the mean of its tokens. `x`: `[tokens, width]`; `y`: `[sequences, width]`.
pub trait PoolingOps: Memory {
    /// y = the rows of x that are first in their sequence.
    fn first_rows(&mut self, y: &mut Self::Buffer, x: &Self::Buffer, batch: &Self::Batch, width: usize);
    /// Adds y to the rows of x that are first in their sequence.
    fn add_to_first_rows(&mut self, x: &mut Self::Buffer, y: &Self::Buffer, batch: &Self::Batch, width: usize);
    /// y = the mean of the rows of x of each sequence.
    fn mean_rows(&mut self, y: &mut Self::Buffer, x: &Self::Buffer, batch: &Self::Batch, width: usize);
    /// The backward pass of [`Self::mean_rows`]: each row of x becomes its sequence's row of y, divided by the sequence's length.
    fn mean_rows_backward(&mut self, x: &mut Self::Buffer, y: &Self::Buffer, batch: &Self::Batch, width: usize);
}
