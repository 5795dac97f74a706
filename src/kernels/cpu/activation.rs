//! Activations on the CPU.

use rayon::prelude::*;

use super::{
    super::{
        Activation, ActivationOps, BiasActivation, Dropout, GatedActivation,
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

/// With (a, g) the halves of a row of x plus the bias: y = dropout(f(a)·g) and, if `derivative`, x ← (f′(a)·g, f(a)) times dropout's
/// factors. `y`: `[rows, width]`; `x`: `[rows, 2 · width]`; `bias`: `[2 · width]`.
fn gated<F: Function>(y: &mut [f32], x: &mut [f32], bias: &[f32], derivative: bool, dropout: Option<Dropout>) {
    let n = bias.len() / 2;
    let tasks = y.par_chunks_mut(ROWS * n).zip(x.par_chunks_mut(ROWS * 2 * n)).enumerate().with_max_len(1);
    tasks.for_each(|(task, (y, x))| {
        let mut factors = vec![1.0f32; n];
        let (bias_a, bias_g) = bias.split_at(n);
        vectorised!({
            for (row, (y, x)) in y.chunks_exact_mut(n).zip(x.chunks_exact_mut(2 * n)).enumerate() {
                if let Some(dropout) = dropout {
                    dropout.fill(dropout.index(task * ROWS + row, n), &mut factors);
                }
                let (a, g) = x.split_at_mut(n);
                let of_a = a.iter_mut().zip(bias_a);
                let of_g = g.iter_mut().zip(bias_g);
                for (((y, (a, bias_a)), (g, bias_g)), factor) in y.iter_mut().zip(of_a).zip(of_g).zip(&factors) {
                    let ((f, slope), gate) = (F::at(*a + bias_a), *g + bias_g);
                    *y = f * gate * factor;
                    if derivative {
                        (*a, *g) = (slope * gate * factor, f * factor);
                    }
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

    fn gated_activation(&mut self, args: GatedActivation<Buffer>) {
        let GatedActivation { y, x, rows, parameters, linear: l, activation, derivative, dropout } = args;
        let bias = bias(parameters, l.bias, l.out);
        let (y, x) = (&mut y[..rows * l.out / 2], &mut x[..rows * l.out]);
        with_function!(activation, gated(y, x, &bias, derivative, dropout));
    }

    fn gated_activation_backward(&mut self, x: &mut Buffer, dy: &Buffer, (rows, width): (usize, usize)) {
        let (x, dy) = (&mut x[..rows * 2 * width], &dy[..rows * width]);
        let tasks = x.par_chunks_mut(ROWS * 2 * width).zip(dy.par_chunks(ROWS * width));
        tasks.with_max_len(1).for_each(|(x, dy)| {
            vectorised!({
                for (x, dy) in x.chunks_exact_mut(2 * width).zip(dy.chunks_exact(width)) {
                    for half in x.chunks_exact_mut(width) {
                        half.iter_mut().zip(dy).for_each(|(x, dy)| *x *= dy);
                    }
                }
            });
        });
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
