//! Activations.

use super::{super::Dropout, Linear, Memory};

/// Functions of single values.
pub trait ActivationOps: Memory {
    /// y = gelu(x + the bias of `linear`), the exact GELU (Hendrycks & Gimpel 2016); both `[rows, linear.out]`. If `derivative`,
    /// x becomes the derivative there.
    fn bias_gelu(
        &mut self,
        y: &mut Self::Buffer,
        x: &mut Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
        derivative: bool,
    );
    /// y ← y·x, value by value, for the first `len`.
    fn multiply(&mut self, y: &mut Self::Buffer, x: &Self::Buffer, len: usize);
    /// x ← tanh(x); y = dropout(x); both `[rows, width]`.
    fn tanh(&mut self, y: &mut Self::Buffer, x: &mut Self::Buffer, rows: usize, width: usize, dropout: Option<Dropout>);
    /// The backward pass of [`Self::tanh`], `x` being what it left: dy becomes the gradient of the values before it.
    fn tanh_backward(
        &mut self,
        dy: &mut Self::Buffer,
        x: &Self::Buffer,
        rows: usize,
        width: usize,
        dropout: Option<Dropout>,
    );
}
