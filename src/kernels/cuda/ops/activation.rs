//! Activations.

use bytemuck::Zeroable;

use super::super::{
    super::{Activation, ActivationOps, BiasActivation, Dropout, GatedActivation},
    Buffer, Cuda, Driver, Kernel, address, params,
};

impl<D: Driver> ActivationOps for Cuda<D> {
    fn bias_activation(&mut self, args: BiasActivation<Buffer<D>>) {
        let BiasActivation { y, x, rows, parameters, linear: l, activation, derivative } = args;
        let (y, y_half) = y.both(0);
        let p = params::BiasActivation {
            y,
            y_half,
            x: x.out(0),
            bias: address(parameters, l.bias),
            len: (rows * l.out) as u64,
            width: l.out as u32,
            function: activation as u32,
            derivative: derivative.into(),
            unused: 0,
        };
        self.each(Kernel::BiasActivation, rows * l.out, &p);
    }

    fn gated_activation(&mut self, args: GatedActivation<Buffer<D>>) {
        let GatedActivation { y, x, rows, parameters, linear: l, activation, derivative, dropout } = args;
        let ((y, y_half), width) = (y.both(0), l.out / 2);
        let p = params::Gated {
            y,
            y_half,
            x: x.out(0),
            x_half: 0,
            bias: address(parameters, l.bias),
            dropout: dropout.into(),
            len: (rows * width) as u64,
            width: width as u32,
            function: activation as u32,
            derivative: derivative.into(),
            unused: 0,
        };
        self.each(Kernel::GatedActivation, rows * width, &p);
    }

    fn gated_activation_backward(&mut self, x: &mut Buffer<D>, dy: &Buffer<D>, (rows, width): (usize, usize)) {
        let (x, x_half) = x.both(0);
        let (len, width) = (rows * width, width as u32);
        let p = params::Gated { y: dy.at(0), x, x_half, len: len as u64, width, ..params::Gated::zeroed() };
        self.each(Kernel::GatedActivationBackward, len, &p);
    }

    fn multiply(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, len: usize) {
        let (y, y_half) = y.both(0);
        self.each(Kernel::Multiply, len, &params::Multiply { y, y_half, x: x.at(0), len: len as u64 });
    }

    fn activate(
        &mut self,
        y: &mut Buffer<D>,
        x: &mut Buffer<D>,
        (rows, width): (usize, usize),
        activation: Activation,
        dropout: Option<Dropout>,
    ) {
        let (len, function) = (rows * width, activation as u32);
        let p = params::Activate {
            y: y.out(0),
            x: x.out(0),
            dropout: dropout.into(),
            len: len as u64,
            width: width as u32,
            function,
        };
        self.each(Kernel::Activate, len, &p);
    }

    fn activate_backward(
        &mut self,
        dy: &mut Buffer<D>,
        x: &Buffer<D>,
        (rows, width): (usize, usize),
        dropout: Option<Dropout>,
    ) {
        let (len, width) = (rows * width, width as u32);
        let (y, x) = (dy.out(0), x.at(0));
        let p = params::Activate { y, x, dropout: dropout.into(), len: len as u64, width, function: 0 };
        self.each(Kernel::ActivateBackward, len, &p);
    }

    fn dropout(&mut self, x: &mut Buffer<D>, (rows, width): (usize, usize), dropout: Dropout) {
        let (len, width) = (rows * width, width as u32);
        let (y, dropout) = (x.out(0), Some(dropout).into());
        self.each(Kernel::Dropout, len, &params::Activate { y, x: y, dropout, len: len as u64, width, function: 0 });
    }
}
