//! Affine maps: products of cuBLAS, which expects column-major matrices. A row-major matrix of ours is its transpose to cuBLAS.

use super::super::{
    super::{Linear, LinearOps},
    Buffer, Cuda, Driver, Factors, Kernel, Product,
    params::{self, Address},
};

impl<D: Driver> Cuda<D> {
    /// A factor of a product, which begins at `at`: the first `n` numbers of `x` are in use.
    fn factor(&self, x: &Buffer<D>, n: usize, at: usize, factors: Factors) -> Address {
        match factors {
            Factors::F32 | Factors::Tf32 => x.at(at),
            Factors::Bf16 => {
                x.half(at, n, |half, x| self.each(Kernel::Convert, n, &params::Convert { half, x, len: n as u64 }))
            }
        }
    }

    fn factors_of(&self, linear: Linear) -> Factors {
        if linear.exact { Factors::F32 } else { self.factors }
    }

    fn product(&self, product: Product) {
        self.device.with(|d| d.product(&product));
    }
}

impl<D: Driver> LinearOps for Cuda<D> {
    fn linear(
        &mut self,
        y: &mut Buffer<D>,
        x: &Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        l: Linear,
        biased: bool,
    ) {
        let (factors, to) = (self.factors_of(l), y.out(0));
        self.product(Product {
            transposed: (true, false),
            m: l.out,
            n: rows,
            k: l.width,
            a: (self.factor(parameters, parameters.room(), l.weight, factors), l.width),
            b: (self.factor(x, rows * l.width, 0, factors), l.width),
            beta: 0.0,
            c: (to, l.out),
            factors,
        });
        if let Some(bias) = l.bias.filter(|_| biased) {
            let (len, width) = ((rows * l.out) as u64, l.out as u64);
            let p = params::AddBias { y: to, bias: parameters.at(bias), len, width };
            self.each(Kernel::AddBias, rows * l.out, &p);
        }
    }

    fn linear_input(
        &mut self,
        dx: &mut Buffer<D>,
        add: bool,
        dy: &Buffer<D>,
        rows: usize,
        parameters: &Buffer<D>,
        l: Linear,
    ) {
        let factors = self.factors_of(l);
        self.product(Product {
            transposed: (false, false),
            m: l.width,
            n: rows,
            k: l.out,
            a: (self.factor(parameters, parameters.room(), l.weight, factors), l.width),
            b: (self.factor(dy, rows * l.out, 0, factors), l.out),
            beta: f32::from(u8::from(add)),
            c: (dx.out(0), l.width),
            factors,
        });
    }

    fn linear_parameters(
        &mut self,
        gradients: &mut Buffer<D>,
        fresh: bool,
        dy: &Buffer<D>,
        x: &Buffer<D>,
        rows: usize,
        l: Linear,
    ) {
        let factors = self.factors_of(l);
        self.product(Product {
            transposed: (false, true),
            m: l.width,
            n: l.out,
            k: rows,
            a: (self.factor(x, rows * l.width, 0, factors), l.width),
            b: (self.factor(dy, rows * l.out, 0, factors), l.out),
            beta: f32::from(u8::from(!fresh)),
            c: (gradients.out(l.weight), l.width),
            factors,
        });
        if let Some(bias) = l.bias {
            let sums = params::ColumnSums::of(gradients.out(bias), dy.at(0), rows, l.out, fresh);
            self.column_sums(sums);
        }
    }
}
