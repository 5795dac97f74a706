//! Layer normalisation, with the residual connection before it.

use super::{super::Dropout, Memory};

/// A layer normalisation (Ba et al. 2016; biased variance, epsilon inside the root) with a weight `[width]` and, in most models,
/// a bias `[width]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    /// Offset of the weight.
    pub weight: usize,
    /// Offset of the bias; none: there is no bias.
    pub bias: Option<usize>,
    /// Values of a row.
    pub width: usize,
    /// Epsilon.
    pub eps: f32,
}

/// Arguments of [`NormOps::add_norm`]; `x`, `y` and `residual`: `[rows, width]`.
#[derive(Debug)]
pub struct AddNorm<'a, B> {
    /// Receives the normalised rows.
    pub y: &'a mut B,
    /// The output of a dense layer without its bias; becomes the sum that is normalised.
    pub x: &'a mut B,
    /// Receives mean and reciprocal standard deviation of each row, `[rows, 2]`.
    pub stats: &'a mut B,
    /// The residual, to which dropout is not applied; `None`: there is none.
    pub residual: Option<&'a B>,
    /// Rows in use.
    pub rows: usize,
    /// All parameters.
    pub parameters: &'a B,
    /// Offset of the dense layer's bias, where it has one.
    pub bias: Option<usize>,
    /// The norm.
    pub norm: LayerNorm,
    /// Applied to the dense layer's output.
    pub dropout: Option<Dropout>,
}

/// Arguments of [`NormOps::add_norm_backward`]; all but `stats` and parameters: `[rows, width]`.
#[derive(Debug)]
pub struct AddNormBackward<'a, B> {
    /// Receives the gradient of the sum that was normalised, which is that of the residual.
    pub d_residual: &'a mut B,
    /// Whether it already holds a gradient of that sum, to which the norm's is added: with pre-norm the sum is also the next residual.
    pub add: bool,
    /// Receives the gradient of the dense layer's output, if it is wanted.
    pub dx: Option<&'a mut B>,
    /// Receives the gradients of the norm's parameters.
    pub gradients: &'a mut B,
    /// Whether those are overwritten or accumulated.
    pub fresh: bool,
    /// The gradient of the normalised rows.
    pub dy: &'a B,
    /// The sum that [`NormOps::add_norm`] left in its `x`.
    pub x: &'a B,
    /// The statistics that it left.
    pub stats: &'a B,
    /// Rows in use.
    pub rows: usize,
    /// All parameters.
    pub parameters: &'a B,
    /// The norm.
    pub norm: LayerNorm,
    /// The dropout of the forward pass.
    pub dropout: Option<Dropout>,
}

/// A residual connection and the norm that follows it in one pass. With post-norm `y` is the next residual, with pre-norm the sum
/// that is left in `x`.
pub trait NormOps: Memory {
    /// x ← dropout(x + bias) + residual, where there is one; y = norm(x).
    fn add_norm(&mut self, args: AddNorm<Self::Buffer>);
    /// The backward pass of [`Self::add_norm`].
    fn add_norm_backward(&mut self, args: AddNormBackward<Self::Buffer>);
}
