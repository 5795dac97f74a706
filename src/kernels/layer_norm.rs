//! Layer normalisation (Ba et al. 2016) over the last dimension, biased variance, epsilon inside the root: PyTorch's.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    Form,
    slice::{slice, with_f32},
};

/// Rows of one task: fixed, so that sums over rows come out alike whatever the number of threads.
const ROWS: usize = 32;

/// x `[rows, features]`, weight and bias `[features]` → `[rows, features]`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64, form: Form) -> Result<Tensor> {
    if form.fused(x) {
        let op = LayerNorm { eps: eps as f32 };
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op);
    }
    let mean = x.mean_keepdim(1)?;
    let centred = x.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)?.broadcast_mul(weight)?.broadcast_add(bias)
}

struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// Mean and reciprocal standard deviation of a row.
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let n = row.len() as f32;
        let mean = sum(row.iter().copied()) / n;
        let variance = sum(row.iter().map(|v| (v - mean) * (v - mean))) / n;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }
}

/// A sum in sixteen lanes: vector instructions, and smaller rounding errors than one running sum.
fn sum(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (i, v) in values.enumerate() {
        lanes[i % 16] += v;
    }
    lanes.iter().sum()
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, w, b) = (slice(x, x_layout)?, slice(w, w_layout)?, slice(b, b_layout)?);
        let n = x_layout.shape().dims2()?.1;
        if w.len() != n || b.len() != n {
            candle_core::bail!("layer norm: rows of {n}, weight of {}, bias of {}", w.len(), b.len());
        }
        let mut y = vec![0.0f32; x.len()];
        y.par_chunks_mut(ROWS * n).zip(x.par_chunks(ROWS * n)).for_each(|(y, x)| {
            for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                let (mean, rstd) = self.moments(x);
                for i in 0..n {
                    y[i] = (x[i] - mean) * rstd * w[i] + b[i];
                }
            }
        });
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let n = x.dim(1)?;
        let grad = grad.contiguous()?;
        let (dx, dw, db) = with_f32(x, |x| with_f32(w, |w| with_f32(&grad, |g| Ok(self.backward(n, x, w, g)))))?;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dw, n, device)?),
            Some(Tensor::from_vec(db, n, device)?),
        ))
    }
}

impl LayerNorm {
    /// With x̂ = (x − mean)·rstd and h = grad·w: dx = rstd·(h − mean(h) − x̂·mean(h·x̂)), dw = Σ grad·x̂, db = Σ grad.
    fn backward(&self, n: usize, x: &[f32], w: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let mut dx = vec![0.0f32; x.len()];
        let partial: Vec<(Vec<f32>, Vec<f32>)> = dx
            .par_chunks_mut(ROWS * n)
            .zip(x.par_chunks(ROWS * n))
            .zip(grad.par_chunks(ROWS * n))
            .map(|((dx, x), grad)| {
                let (mut dw, mut db) = (vec![0.0f32; n], vec![0.0f32; n]);
                for ((dx, x), g) in dx.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(grad.chunks_exact(n)) {
                    let (mean, rstd) = self.moments(x);
                    let mean_h = sum((0..n).map(|i| g[i] * w[i])) / n as f32;
                    let mean_hx = sum((0..n).map(|i| g[i] * w[i] * (x[i] - mean) * rstd)) / n as f32;
                    for i in 0..n {
                        let x_hat = (x[i] - mean) * rstd;
                        dx[i] = rstd * (g[i] * w[i] - mean_h - x_hat * mean_hx);
                        dw[i] += g[i] * x_hat;
                        db[i] += g[i];
                    }
                }
                (dw, db)
            })
            .collect();
        let (mut dw, mut db) = (vec![0.0f32; n], vec![0.0f32; n]);
        for (part_w, part_b) in &partial {
            for i in 0..n {
                dw[i] += part_w[i];
                db[i] += part_b[i];
            }
        }
        (dx, dw, db)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn fused_equals_reference() -> Result<()> {
        for (rows, n) in [(1, 5), (3, 17), (70, 64), (33, 768)] {
            let (x, w, b) = (normal(1, &[rows, n])?, normal(2, &[n])?, normal(3, &[n])?);
            let run = |form| layer_norm(&x, &w, &b, 1e-12, form);
            compare(&[&x, &w, &b], 1e-5, &run(Form::Fused)?, &run(Form::Reference)?)?;
        }
        Ok(())
    }

    #[test]
    fn rows_have_mean_zero_and_variance_one() -> Result<()> {
        let x = (normal(1, &[5, 64])?.as_tensor() * 30.0)?.affine(1.0, 1000.0)?;
        let (w, b) = (Tensor::ones(64, candle_core::DType::F32, x.device())?, x.get(0)?.zeros_like()?);
        for row in layer_norm(&x, &w, &b, 1e-12, Form::Fused)?.to_vec2::<f32>()? {
            let mean = row.iter().sum::<f32>() / 64.0;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / 64.0;
            assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
        }
        Ok(())
    }
}
