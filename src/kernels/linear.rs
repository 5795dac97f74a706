//! y = x·Wᵀ + b, weights in PyTorch's layout `[out, in]`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    Form,
    matmul::{Threads, View, matmul},
    slice::{slice, with_f32},
};

/// Affine map of each row: x `[rows, in]`, weight `[out, in]`, bias `[out]` → `[rows, out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor, form: Form) -> Result<Tensor> {
    if form.fused(x) {
        return x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Linear);
    }
    x.matmul(&weight.t()?)?.broadcast_add(bias)
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let (rows, width) = x_layout.shape().dims2()?;
        let (out, w_width) = w_layout.shape().dims2()?;
        let bias = slice(b, b_layout)?;
        if w_width != width || bias.len() != out {
            candle_core::bail!("linear: x {rows}×{width}, weight {out}×{w_width}, bias {}", bias.len());
        }
        let mut y = Vec::with_capacity(rows * out);
        for _ in 0..rows {
            y.extend_from_slice(bias);
        }
        let (x, w) = (slice(x, x_layout)?, slice(w, w_layout)?);
        matmul(
            &mut y,
            out,
            true,
            1.0,
            View::new(x, rows, width, width),
            View::new(w, out, width, width).t(),
            Threads::All,
        );
        Ok((CpuStorage::F32(y), (rows, out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((rows, width), out) = (x.dims2()?, w.dim(0)?);
        let device = x.device();
        let grad = grad.contiguous()?;
        with_f32(&grad, |grad| {
            let g = View::new(grad, rows, out, out);
            let dx = (x.track_op())
                .then(|| {
                    with_f32(w, |w| {
                        let mut dx = vec![0.0; rows * width];
                        matmul(&mut dx, width, false, 1.0, g, View::new(w, out, width, width), Threads::All);
                        Tensor::from_vec(dx, (rows, width), device)
                    })
                })
                .transpose()?;
            let dw = (w.track_op())
                .then(|| {
                    with_f32(x, |x| {
                        let mut dw = vec![0.0; out * width];
                        matmul(&mut dw, width, false, 1.0, g.t(), View::new(x, rows, width, width), Threads::All);
                        Tensor::from_vec(dw, (out, width), device)
                    })
                })
                .transpose()?;
            let db = (b.track_op()).then(|| Tensor::from_vec(column_sums(grad, out), out, device)).transpose()?;
            Ok((dx, dw, db))
        })
    }
}

/// Sum of each column of `[rows, cols]`, rows always added in order.
pub(super) fn column_sums(values: &[f32], cols: usize) -> Vec<f32> {
    const WIDTH: usize = 256;
    let mut sums = vec![0.0f32; cols];
    sums.par_chunks_mut(WIDTH).enumerate().for_each(|(chunk, sums)| {
        for row in values.chunks_exact(cols) {
            for (sum, v) in sums.iter_mut().zip(&row[chunk * WIDTH..]) {
                *sum += v;
            }
        }
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn fused_equals_reference() -> Result<()> {
        for (rows, width, out) in [(1, 1, 1), (7, 5, 3), (64, 48, 300)] {
            let (x, w, b) = (normal(1, &[rows, width])?, normal(2, &[out, width])?, normal(3, &[out])?);
            let run = |form| linear(&x, &w, &b, form);
            compare(&[&x, &w, &b], 2e-6, &run(Form::Fused)?, &run(Form::Reference)?)?;
        }
        Ok(())
    }

    #[test]
    fn constants_get_no_gradient_and_shapes_are_checked() -> Result<()> {
        let (x, w, b) = (normal(1, &[4, 3])?, normal(2, &[2, 3])?, normal(3, &[2])?);
        let y = linear(&x.as_detached_tensor(), &w, &b.as_detached_tensor(), Form::Fused)?;
        let grads = y.sum_all()?.backward()?;
        assert!(grads.get(&w).is_some() && grads.get(&b).is_none() && grads.get(&x).is_none());
        let wide = normal(2, &[2, 4])?;
        assert!(linear(&x, &wide, &b, Form::Fused).is_err());
        Ok(())
    }
}
