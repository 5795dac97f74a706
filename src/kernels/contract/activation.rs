//! Activations.

use super::{super::Dropout, Linear, Memory};

/// A function of single values. CUDA's kernels know it by its number: the order is that of the `enum` in `elements.cu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Activation {
    /// The exact GELU (Hendrycks & Gimpel 2016), x·Φ(x).
    Gelu,
    /// GELU's approximation by tanh: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    GeluTanh,
    /// max(x, 0); the derivative at 0 is 0.
    Relu,
    /// x·σ(x) (Elfwing et al. 2018), also called swish.
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

/// Arguments of [`ActivationOps::bias_activation`].
#[derive(Debug)]
pub struct BiasActivation<'a, B> {
    /// Receives the values of the function, `[rows, linear.out]`.
    pub y: &'a mut B,
    /// The output of `linear` without its bias, `[rows, linear.out]`; becomes the derivative there if `derivative`.
    pub x: &'a mut B,
    /// Rows in use.
    pub rows: usize,
    /// All parameters.
    pub parameters: &'a B,
    /// Whose bias is added.
    pub linear: Linear,
    /// The function.
    pub activation: Activation,
    /// Whether the derivative is wanted.
    pub derivative: bool,
}

/// Arguments of [`ActivationOps::gated_activation`].
#[derive(Debug)]
pub struct GatedActivation<'a, B> {
    /// Receives the gated values, `[rows, linear.out / 2]`.
    pub y: &'a mut B,
    /// The output of `linear` without its bias, `[rows, linear.out]`: inputs of the function, then gates. If `derivative`, they become
    /// the derivatives of `y` by themselves.
    pub x: &'a mut B,
    /// Rows in use.
    pub rows: usize,
    /// All parameters.
    pub parameters: &'a B,
    /// Whose bias is added.
    pub linear: Linear,
    /// The function.
    pub activation: Activation,
    /// Whether the derivatives are wanted.
    pub derivative: bool,
    /// Applied to `y`.
    pub dropout: Option<Dropout>,
}

/// Functions of single values.
pub trait ActivationOps: Memory {
    /// y = f(x + the bias of `linear`); x becomes f′ there, where that is wanted.
    fn bias_activation(&mut self, args: BiasActivation<Self::Buffer>);
    /// A gated linear unit (Shazeer 2020): with (a, g) the halves of a row of x plus the bias, y = dropout(f(a)·g).
    fn gated_activation(&mut self, args: GatedActivation<Self::Buffer>);
    /// The backward pass of [`Self::gated_activation`], `x`, `[rows, 2 · width]`, being what it left: each half is multiplied by dy,
    /// `[rows, width]`, and is then the gradient of what it held before.
    fn gated_activation_backward(&mut self, x: &mut Self::Buffer, dy: &Self::Buffer, shape: (usize, usize));
    /// y ← y·x, value by value, for the first `len`.
    fn multiply(&mut self, y: &mut Self::Buffer, x: &Self::Buffer, len: usize);
    /// y = dropout(f(x)); x becomes f′ there; both of `shape` (rows, width).
    fn activate(
        &mut self,
        y: &mut Self::Buffer,
        x: &mut Self::Buffer,
        shape: (usize, usize),
        activation: Activation,
        dropout: Option<Dropout>,
    );
    /// The backward pass of [`Self::activate`], `x` being what it left: dy becomes the gradient of the values before it.
    fn activate_backward(
        &mut self,
        dy: &mut Self::Buffer,
        x: &Self::Buffer,
        shape: (usize, usize),
        dropout: Option<Dropout>,
    );
    /// x ← dropout(x), of `shape` (rows, width): forward and backward pass are the same.
    fn dropout(&mut self, x: &mut Self::Buffer, shape: (usize, usize), dropout: Dropout);
}
