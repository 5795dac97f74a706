//! Activations on the CPU.

use rayon::prelude::*;

use super::{
    super::{
        Activation, ActivationOps, BiasActivation, Dropout,
        math::{erf, exp, tanh},
    },
    Buffer, Cpu, bias,
    vector::vectorised,
};

/// Rows of a task.
const ROWS: usize = 8;

/// A function of single values with its derivative.
trait Function {
    /// f(x) and f′(x). Where the derivative is not used, the compiler leaves it out.
    fn at(x: f32) -> (f32, f32);
}

struct Gelu;
struct GeluTanh;
struct Relu;
struct Silu;
struct Tanh;

impl Function for Gelu {
    #[inline(always)]
    fn at(x: f32) -> (f32, f32) {
        /// 1 / √(2π), the normal density at 0.
        const DENSITY: f32 = 0.398_942_3;
        let cdf = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
        (x * cdf, cdf + x * DENSITY * exp(-0.5 * x * x))
    }
}

impl Function for GeluTanh {
    #[inline(always)]
    fn at(x: f32) -> (f32, f32) {
        /// √(2/π).
        const SCALE: f32 = 0.797_884_6;
        const CUBE: f32 = 0.044_715;
        let t = tanh(SCALE * (x + CUBE * x * x * x));
        let half = 0.5 * (1.0 + t);
        (x * half, half + 0.5 * x * (1.0 - t * t) * SCALE * (1.0 + 3.0 * CUBE * x * x))
    }
}

impl Function for Relu {
    #[inline(always)]
    fn at(x: f32) -> (f32, f32) {
        // NaN stays NaN, so that a spoilt row gives a spoilt loss.
        if x <= 0.0 { (0.0, 0.0) } else { (x, 1.0) }
    }
}

impl Function for Silu {
    #[inline(always)]
    fn at(x: f32) -> (f32, f32) {
        let sigmoid = 1.0 / (1.0 + exp(-x));
        (x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid)))
    }
}

impl Function for Tanh {
    #[inline(always)]
    fn at(x: f32) -> (f32, f32) {
        let t = tanh(x);
        (t, 1.0 - t * t)
    }
}

/// Calls a function with the type of an activation.
macro_rules! with_function {
    ($activation:expr, $call:ident($($argument:expr),*)) => {
        match $activation {
            Activation::Gelu => $call::<Gelu>($($argument),*),
            Activation::GeluTanh => $call::<GeluTanh>($($argument),*),
            Activation::Relu => $call::<Relu>($($argument),*),
            Activation::Silu => $call::<Silu>($($argument),*),
            Activation::Tanh => $call::<Tanh>($($argument),*),
        }
    };
}

/// y = f(x + bias). `y`, `x`: `[rows, out]`; `bias`: `[out]`.
fn forward<F: Function>(y: &mut [f32], x: &[f32], bias: &[f32]) {
    let n = bias.len();
    y.par_chunks_mut(ROWS * n).zip(x.par_chunks(ROWS * n)).with_max_len(1).for_each(|(y, x)| {
        vectorised!({
            for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                for ((y, x), b) in y.iter_mut().zip(x).zip(bias) {
                    (*y, _) = F::at(x + b);
                }
            }
        });
    });
}

/// The same, and x becomes the derivative, so that the backward pass only multiplies.
fn forward_with_derivative<F: Function>(y: &mut [f32], x: &mut [f32], bias: &[f32]) {
    let n = bias.len();
    y.par_chunks_mut(ROWS * n).zip(x.par_chunks_mut(ROWS * n)).with_max_len(1).for_each(|(y, x)| {
        vectorised!({
            for (y, x) in y.chunks_exact_mut(n).zip(x.chunks_exact_mut(n)) {
                for ((y, x), b) in y.iter_mut().zip(x).zip(bias) {
                    (*y, *x) = F::at(*x + b);
                }
            }
        });
    });
}

/// y = dropout(f(x)), x ← f′(x); both `[rows, width]`. A row for each sequence: little work, one thread.
fn activate<F: Function>(y: &mut [f32], x: &mut [f32], width: usize, dropout: Option<Dropout>) {
    let mut factors = vec![1.0f32; width];
    vectorised!({
        for (row, (y, x)) in y.chunks_exact_mut(width).zip(x.chunks_exact_mut(width)).enumerate() {
            if let Some(dropout) = dropout {
                dropout.fill(dropout.index(row, width), &mut factors);
            }
            for ((y, x), factor) in y.iter_mut().zip(x).zip(&factors) {
                (*y, *x) = F::at(*x);
                *y *= factor;
            }
        }
    });
}

impl ActivationOps for Cpu {
    fn bias_activation(&mut self, args: BiasActivation<Buffer>) {
        let BiasActivation { y, x, rows, parameters, linear: l, activation, derivative } = args;
        let bias = bias(parameters, l.bias, l.out);
        let (y, x) = (&mut y[..rows * l.out], &mut x[..rows * l.out]);
        match derivative {
            true => with_function!(activation, forward_with_derivative(y, x, &bias)),
            false => with_function!(activation, forward(y, x, &bias)),
        }
    }

    fn multiply(&mut self, y: &mut Buffer, x: &Buffer, len: usize) {
        const CHUNK: usize = 16 * 1024;
        y[..len].par_chunks_mut(CHUNK).zip(x[..len].par_chunks(CHUNK)).with_max_len(1).for_each(|(y, x)| {
            vectorised!(y.iter_mut().zip(x).for_each(|(y, x)| *y *= x));
        });
    }

    fn activate(
        &mut self,
        y: &mut Buffer,
        x: &mut Buffer,
        (rows, width): (usize, usize),
        activation: Activation,
        dropout: Option<Dropout>,
    ) {
        let (y, x) = (&mut y[..rows * width], &mut x[..rows * width]);
        with_function!(activation, activate(y, x, width, dropout));
    }

    fn activate_backward(
        &mut self,
        dy: &mut Buffer,
        x: &Buffer,
        (rows, width): (usize, usize),
        dropout: Option<Dropout>,
    ) {
        let mut factors = vec![1.0f32; width];
        vectorised!({
            for (row, (dy, x)) in dy[..rows * width].chunks_exact_mut(width).zip(x.chunks_exact(width)).enumerate() {
                if let Some(dropout) = dropout {
                    dropout.fill(dropout.index(row, width), &mut factors);
                }
                for ((dy, x), factor) in dy.iter_mut().zip(x).zip(&factors) {
                    *dy *= factor * x;
                }
            }
        });
    }

    fn dropout(&mut self, x: &mut Buffer, (rows, width): (usize, usize), dropout: Dropout) {
        let mut factors = vec![1.0f32; width];
        vectorised!({
            for (row, x) in x[..rows * width].chunks_exact_mut(width).enumerate() {
                dropout.fill(dropout.index(row, width), &mut factors);
                x.iter_mut().zip(&factors).for_each(|(x, factor)| *x *= factor);
            }
        });
    }
}
