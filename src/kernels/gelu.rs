//! The exact GELU of BERT (Hendrycks & Gimpel 2016): x·Φ(x), with erf, not tanh.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    Form, erf, exp,
    slice::{slice, with_f32},
};

/// Values of one task.
const CHUNK: usize = 16 * 1024;

/// x·Φ(x) of each value.
pub fn gelu(x: &Tensor, form: Form) -> Result<Tensor> {
    if form.fused(x) { x.contiguous()?.apply_op1(Gelu) } else { x.gelu_erf() }
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, layout)?;
        let mut y = vec![0.0f32; x.len()];
        y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
            }
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    /// d/dx x·Φ(x) = Φ(x) + x·φ(x).
    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        const DENSITY_AT_0: f32 = 0.398_942_3; // 1 / √(2π)
        let grad = grad.contiguous()?;
        let dx = with_f32(x, |x| {
            with_f32(&grad, |grad| {
                let mut dx = vec![0.0f32; x.len()];
                dx.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(grad.par_chunks(CHUNK)).for_each(
                    |((dx, x), grad)| {
                        for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(grad) {
                            let cdf = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
                            *dx = g * (cdf + x * DENSITY_AT_0 * exp(-0.5 * x * x));
                        }
                    },
                );
                Ok(dx)
            })
        })?;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn fused_equals_reference() -> Result<()> {
        let x = candle_core::Var::from_tensor(&(normal(1, &[33, 1000])?.as_tensor() * 3.0)?)?;
        compare(&[&x], 1e-6, &gelu(&x, Form::Fused)?, &gelu(&x, Form::Reference)?)
    }
}
