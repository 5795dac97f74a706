//! The exact GELU of BERT (Hendrycks & Gimpel 2016): x·Φ(x), with erf, not tanh.

use rayon::prelude::*;

use super::{
    super::math::{erf, exp},
    vector::vectorised,
};

/// Rows of a task.
const ROWS: usize = 8;
/// 1 / √(2π), the normal density at 0.
const DENSITY: f32 = 0.398_942_3;

/// y = gelu(x + bias). `y`, `x`: `[rows, out]`; `bias`: `[out]`.
pub fn forward(y: &mut [f32], x: &[f32], bias: &[f32]) {
    let n = bias.len();
    y.par_chunks_mut(ROWS * n).zip(x.par_chunks(ROWS * n)).with_max_len(1).for_each(|(y, x)| {
        vectorised!({
            for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                for ((y, x), b) in y.iter_mut().zip(x).zip(bias) {
                    let x = x + b;
                    *y = x * cdf(x);
                }
            }
        });
    });
}

/// The same, and x becomes the derivative Φ(x) + x·φ(x), so that the backward pass only multiplies.
pub fn forward_with_derivative(y: &mut [f32], x: &mut [f32], bias: &[f32]) {
    let n = bias.len();
    y.par_chunks_mut(ROWS * n).zip(x.par_chunks_mut(ROWS * n)).with_max_len(1).for_each(|(y, x)| {
        vectorised!({
            for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact_mut(n)) {
                for ((y, at), b) in y.iter_mut().zip(x).zip(bias) {
                    let x = *at + b;
                    let cdf = cdf(x);
                    *y = x * cdf;
                    *at = cdf + x * DENSITY * exp(-0.5 * x * x);
                }
            }
        });
    });
}

#[inline(always)]
fn cdf(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}
