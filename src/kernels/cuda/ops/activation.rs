//! Activations.

use super::super::{
    super::{ActivationOps, Dropout, Linear},
    Buffer, Cuda, Driver, Kernel, address, params,
};

impl<D: Driver> ActivationOps for Cuda<D> {
    fn bias_gelu(
        &mut self,
        y: &mut Buffer<D>,
        x: &mut Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        l: Linear,
        derivative: bool,
    ) {
        let (y, y_half) = y.both(0);
        let (len, width, derivative) = ((rows * l.out) as u64, l.out as u32, u32::from(derivative));
        let p = params::BiasGelu { y, y_half, x: x.out(0), bias: address(parameters, l.bias), len, width, derivative };
        self.each(Kernel::BiasGelu, rows * l.out, &p);
    }

    fn multiply(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, len: usize) {
        let (y, y_half) = y.both(0);
        self.each(Kernel::Multiply, len, &params::Multiply { y, y_half, x: x.at(0), len: len as u64 });
    }

    fn tanh(&mut self, y: &mut Buffer<D>, x: &mut Buffer<D>, rows: usize, width: usize, dropout: Option<Dropout>) {
        let (len, width) = ((rows * width) as u64, width as u64);
        let p = params::Tanh { y: y.out(0), x: x.out(0), dropout: dropout.into(), len, width };
        self.each(Kernel::TanhForward, len as usize, &p);
    }

    fn tanh_backward(
        &mut self,
        dy: &mut Buffer<D>,
        x: &Buffer<D>,
        rows: usize,
        width: usize,
        dropout: Option<Dropout>,
    ) {
        let (len, width) = ((rows * width) as u64, width as u64);
        let p = params::Tanh { y: dy.out(0), x: x.at(0), dropout: dropout.into(), len, width };
        self.each(Kernel::TanhBackward, len as usize, &p);
    }
}
