//! Differentiable operations of the model, each in two forms that compute the same thing:
//!
//! * a **reference** composed of candle's own differentiable operations, which runs on every device and is what the
//!   other form is tested against;
//! * a **fused** one for the CPU: plain functions over slices, wrapped as a candle custom operation with its backward.
//!
//! candle's fast LayerNorm and softmax have no backward and cut the graph silently; nothing here uses them.
//!
//! Everything works on a stream of real tokens, `[tokens, features]` in f32; attention is told where sequences begin.
//! Results do not depend on the number of threads: work is cut at places that depend on shapes alone.

mod attention;
mod dropout;
mod gelu;
mod layer_norm;
mod linear;
mod math;
mod matmul;
mod precision;
mod slice;

pub use attention::{Ragged, attention};
pub use dropout::{Dropout, dropout};
pub use gelu::gelu;
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use math::{erf, exp};
pub use precision::{bf16_supported, instructions};
pub use slice::with_f32;

/// Which form of the operations is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// The fused form where the tensors are on the CPU, else the reference.
    #[default]
    Fused,
    /// The reference everywhere.
    Reference,
}

impl Form {
    fn fused(self, x: &candle_core::Tensor) -> bool {
        self == Self::Fused && x.device().is_cpu()
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Random tensors and comparisons for the kernels' tests.

    use candle_core::{Device, Result, Tensor, Var};

    use crate::random::{Purpose, Stream};

    /// A variable of standard normal values; `seed` tells them apart.
    pub fn normal(seed: u64, shape: &[usize]) -> Result<Var> {
        let stream = Stream::new(seed, Purpose::Init, 0, 0);
        let n = shape.iter().product::<usize>() as u64;
        let values: Vec<f32> = (0..n).map(|i| stream.normal(i) as f32).collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Largest difference between two tensors, relative to the largest value of the second.
    pub fn difference(a: &Tensor, b: &Tensor) -> Result<f64> {
        assert_eq!(a.shape(), b.shape());
        let scale = b.abs()?.max_all()?.to_scalar::<f32>()?.max(1e-6);
        Ok(f64::from((a - b)?.abs()?.max_all()?.to_scalar::<f32>()? / scale))
    }

    /// Holds outputs and the gradients of all `inputs` of two forms against each other.
    ///
    /// The gradient that comes back from the output is random: a sum would hide errors that cancel.
    pub fn compare(inputs: &[&Var], tolerance: f64, fused: &Tensor, reference: &Tensor) -> Result<()> {
        let error = difference(fused, reference)?;
        assert!(error < tolerance, "output differs by {error:e}");
        let weight = normal(999, fused.dims())?;
        let got = (fused * weight.as_tensor())?.sum_all()?.backward()?;
        let want = (reference * weight.as_tensor())?.sum_all()?.backward()?;
        for (i, input) in inputs.iter().enumerate() {
            let error = difference(got.get(input).expect("a gradient"), want.get(input).expect("a gradient"))?;
            assert!(error < tolerance, "gradient of input {i} differs by {error:e}");
        }
        Ok(())
    }
}
