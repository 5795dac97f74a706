//! Dropout whose mask is a function of (seed, step, site, place), so that it comes out alike on every device, for every
//! number of threads, and after a resumption.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{Form, slice::slice, with_f32};
use crate::random::{Purpose, Stream};

/// Values of one task.
const CHUNK: usize = 16 * 1024;

/// Where and how much is dropped.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    stream: Stream,
    threshold: u32,
    scale: f32,
    first_row: u64,
}

impl Dropout {
    /// Dropout of share `p` in [0, 1) at one `site` of the model in one optimiser `step`.
    ///
    /// `first_row` is the place of the tensor's first row among the step's rows (not 0 in gradient accumulation).
    pub fn new(seed: u64, step: u64, site: u32, p: f64, first_row: usize) -> Option<Self> {
        (p > 0.0).then(|| Self {
            stream: Stream::new(seed, Purpose::Dropout, step, site),
            threshold: (p * 4_294_967_296.0) as u32,
            scale: (1.0 / (1.0 - p)) as f32,
            first_row: first_row as u64,
        })
    }

    /// Multiplies values by 0 or 1/(1−p). They stand at `index`, `index + 1`, … of the mask.
    pub(super) fn apply(&self, index: u64, values: &mut [f32]) {
        let mut block = index / 4;
        let mut bits = self.stream.at4(block);
        for (i, v) in values.iter_mut().enumerate() {
            let at = index + i as u64;
            if at / 4 != block {
                block = at / 4;
                bits = self.stream.at4(block);
            }
            *v = if bits[(at % 4) as usize] >= self.threshold { *v * self.scale } else { 0.0 };
        }
    }

    /// Place in the mask of column 0 of `row`, for rows of `width` values.
    pub(super) fn index(&self, row: usize, width: usize) -> u64 {
        (self.first_row + row as u64) * width as u64
    }
}

/// Drops values of x `[rows, features]` and scales the others by 1/(1−p); x itself where `dropout` is none.
pub fn dropout(x: &Tensor, dropout: Option<Dropout>, form: Form) -> Result<Tensor> {
    let Some(dropout) = dropout else { return Ok(x.clone()) };
    if form.fused(x) {
        return x.contiguous()?.apply_op1(Op(dropout));
    }
    let (rows, width) = x.dims2()?;
    let mut mask = vec![1.0; rows * width];
    dropout.apply(dropout.index(0, width), &mut mask);
    x * Tensor::from_vec(mask, (rows, width), x.device())?
}

struct Op(Dropout);

impl Op {
    fn run(&self, x: &[f32], width: usize) -> Vec<f32> {
        let mut y = x.to_vec();
        y.par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(i, y)| self.0.apply(self.0.index(0, width) + (i * CHUNK) as u64, y));
        y
    }
}

impl CustomOp1 for Op {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = layout.shape().dims2()?.1;
        Ok((CpuStorage::F32(self.run(slice(x, layout)?, width)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let width = x.dim(1)?;
        let dx = with_f32(&grad.contiguous()?, |grad| Ok(self.run(grad, width)))?;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn fused_equals_reference() -> Result<()> {
        let x = normal(1, &[67, 770])?;
        let d = Dropout::new(1, 2, 3, 0.3, 5);
        compare(&[&x], 1e-6, &dropout(&x, d, Form::Fused)?, &dropout(&x, d, Form::Reference)?)
    }

    #[test]
    fn share_scale_and_names() -> Result<()> {
        let ones = Tensor::ones((100, 1000), candle_core::DType::F32, &candle_core::Device::Cpu)?;
        let run = |seed, step, site| -> Result<Vec<f32>> {
            dropout(&ones, Dropout::new(seed, step, site, 0.1, 0), Form::Fused)?.flatten_all()?.to_vec1()
        };
        let base = run(1, 1, 1)?;
        let dropped = base.iter().filter(|v| **v == 0.0).count();
        assert!((9_700..10_300).contains(&dropped), "{dropped} of 100,000 at p = 0.1");
        assert!(base.iter().all(|v| *v == 0.0 || (*v - 1.0 / 0.9).abs() < 1e-6));
        assert!(base != run(2, 1, 1)? && base != run(1, 2, 1)? && base != run(1, 1, 2)? && base == run(1, 1, 1)?);
        assert!(Dropout::new(1, 1, 1, 0.0, 0).is_none());
        Ok(())
    }

    #[test]
    fn a_step_cut_in_two_has_the_same_mask() -> Result<()> {
        let x = Tensor::ones((10, 7), candle_core::DType::F32, &candle_core::Device::Cpu)?;
        let whole = dropout(&x, Dropout::new(1, 1, 1, 0.5, 0), Form::Fused)?.to_vec2::<f32>()?;
        let tail = dropout(&x.narrow(0, 0, 6)?, Dropout::new(1, 1, 1, 0.5, 4), Form::Fused)?.to_vec2::<f32>()?;
        assert_eq!(whole[4..], tail);
        Ok(())
    }
}
