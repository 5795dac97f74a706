//! Affine maps.

use std::ops::Range;

use super::Memory;

/// An affine map with a weight `[out, width]` (PyTorch's layout) and, in most models, a bias `[out]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Offset of the weight.
    pub weight: usize,
    /// Offset of the bias; none: there is no bias.
    pub bias: Option<usize>,
    /// Values of a row of the result.
    pub out: usize,
    /// Values of a row of the input.
    pub width: usize,
    /// Whether the product keeps float32 inputs where the engine's precision is a lower one.
    pub exact: bool,
}

impl Linear {
    /// The map that computes only the columns `range` of the result.
    #[must_use]
    pub fn part(self, range: Range<usize>) -> Self {
        let bias = self.bias.map(|at| at + range.start);
        Self { weight: self.weight + range.start * self.width, bias, out: range.len(), ..self }
    }
}

/// Products with the weight of an affine map. `x`: `[rows, width]`; `y`: `[rows, out]`.
pub trait LinearOps: Memory {
    /// y = x·Wᵀ; plus the bias, where there is one and `biased`.
    fn linear(
        &mut self,
        y: &mut Self::Buffer,
        x: &Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
        biased: bool,
    );
    /// dx = dy·W; dx += dy·W if `add`.
    fn linear_input(
        &mut self,
        dx: &mut Self::Buffer,
        add: bool,
        dy: &Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
    );
    /// dW = dyᵀ·x, and db = the sum of dy's rows where there is a bias.
    fn linear_parameters(
        &mut self,
        gradients: &mut Self::Buffer,
        fresh: bool,
        dy: &Self::Buffer,
        x: &Self::Buffer,
        rows: usize,
        linear: Linear,
    );
}
