//! Activations on the CPU.

use rayon::prelude::*;

use super::{
    super::{ActivationOps, Dropout, Linear},
    Buffer, Cpu, bias, gelu, head,
    vector::vectorised,
};

impl ActivationOps for Cpu {
    fn bias_gelu(
        &mut self,
        y: &mut Buffer,
        x: &mut Buffer,
        rows: usize,
        parameters: &Buffer,
        l: Linear,
        derivative: bool,
    ) {
        let bias = bias(parameters, l.bias, l.out);
        let (y, x) = (&mut y[..rows * l.out], &mut x[..rows * l.out]);
        if derivative { gelu::forward_with_derivative(y, x, &bias) } else { gelu::forward(y, x, &bias) }
    }

    fn multiply(&mut self, y: &mut Buffer, x: &Buffer, len: usize) {
        const CHUNK: usize = 16 * 1024;
        y[..len].par_chunks_mut(CHUNK).zip(x[..len].par_chunks(CHUNK)).with_max_len(1).for_each(|(y, x)| {
            vectorised!(y.iter_mut().zip(x).for_each(|(y, x)| *y *= x));
        });
    }

    fn tanh(&mut self, y: &mut Buffer, x: &mut Buffer, rows: usize, width: usize, dropout: Option<Dropout>) {
        head::tanh_dropout(&mut y[..rows * width], &mut x[..rows * width], width, dropout);
    }

    fn tanh_backward(&mut self, dy: &mut Buffer, x: &Buffer, rows: usize, width: usize, dropout: Option<Dropout>) {
        head::tanh_dropout_backward(&mut dy[..rows * width], &x[..rows * width], width, dropout);
    }
}
