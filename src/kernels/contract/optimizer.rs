//! The optimizer.

use std::ops::Range;

use super::{Memory, Sums, Table};

/// What the gradient is multiplied by before it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// This factor.
    By(f64),
    /// The factor that clips its norm, the root of the step's squares, to this value, as `torch.nn.utils.clip_grad_norm_` does; 0
    /// disables clipping. A step whose loss or norm is not finite changes nothing.
    ToNorm(f64),
}

impl Clip {
    /// The factor in a step with these sums; `None` if nothing may change.
    pub fn factor(self, sums: Sums) -> Option<f64> {
        match self {
            Self::By(factor) => Some(factor),
            Self::ToNorm(_) if !sums.are_finite() => None,
            Self::ToNorm(most) if most > 0.0 => Some((most / (sums.norm() + 1e-6)).min(1.0)),
            Self::ToNorm(_) => Some(1.0),
        }
    }
}

/// One AdamW update (Loshchilov & Hutter 2019), as `torch.optim.AdamW`, with factors that are the same for many parameters:
/// m ← β₁·m + g₁·c·g, v ← β₂·v + g₂·c²·g², p ← decay_factor·p − step_size·m / (√v·rsqrt_correction2 + eps), with c the factor of `clip`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay rates of the moments.
    pub betas: (f32, f32),
    /// 1 − β₁ and 1 − β₂.
    pub one_minus_betas: (f64, f64),
    /// Applied to the gradient.
    pub clip: Clip,
    /// 1 − lr·weight_decay.
    pub decay_factor: f32,
    /// lr / (1 − β₁ᵗ).
    pub step_size: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub rsqrt_correction2: f32,
    /// Epsilon.
    pub eps: f32,
}

impl AdamW {
    /// (1 − β₁)·clip and (1 − β₂)·clip².
    pub fn factors(&self, clip: f64) -> (f32, f32) {
        ((self.one_minus_betas.0 * clip) as f32, (self.one_minus_betas.1 * clip * clip) as f32)
    }
}

/// Parameters with their moments.
#[derive(Debug)]
pub struct Moments<'a, B> {
    /// The parameters.
    pub values: &'a mut B,
    /// The first moments.
    pub first: &'a mut B,
    /// The second moments.
    pub second: &'a mut B,
}

/// Updates of parameters.
pub trait OptimizerOps: Memory {
    /// Adds Σ of the squares of a range to the step's squares.
    fn add_squares(&mut self, x: &Self::Buffer, range: Range<usize>);
    /// Updates a range of parameters; `gradients` has the same offsets.
    fn adamw(&mut self, moments: Moments<Self::Buffer>, gradients: &Self::Buffer, range: Range<usize>, update: AdamW);
    /// Updates rows of a table: for each (row of the table, row of the gradient; none: zero), ascending.
    fn adamw_rows(
        &mut self,
        moments: Moments<Self::Buffer>,
        gradients: &Self::Buffer,
        table: Table,
        rows: &[(u32, Option<u32>)],
        update: AdamW,
    );
    /// Multiplies rows of a table.
    fn scale_rows(&mut self, values: &mut Self::Buffer, table: Table, rows: &[u32], by: f32);
}
