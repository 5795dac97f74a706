//! How fast this machine trains, roughly: for estimates.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};

use super::ExecuteError;
use crate::kernels::{self, Form};

/// Share of the matrix products' speed that a whole training step reaches on the CPU, measured on rbt3 and M3E-small.
const SHARE: f64 = 0.5;

/// FLOP/s of training on the CPU, from a tenth of a second of the products that make up most of it.
pub fn training_rate() -> Result<f64, ExecuteError> {
    let (rows, width, out) = (512, 768, 768);
    let new = |shape: (usize, usize)| Tensor::ones(shape, DType::F32, &Device::Cpu);
    let (x, w, b) = (new((rows, width))?, new((out, width))?, Tensor::zeros(out, DType::F32, &Device::Cpu)?);
    kernels::linear(&x, &w, &b, Form::Fused)?; // starts the threads
    let begin = Instant::now();
    let mut flop = 0.0;
    while begin.elapsed().as_secs_f64() < 0.1 {
        kernels::linear(&x, &w, &b, Form::Fused)?;
        flop += 2.0 * (rows * width * out) as f64;
    }
    Ok(SHARE * flop / begin.elapsed().as_secs_f64())
}
